/** `finetune.round0Adapter`: round 0 takes an adapter that was trained before, in place of training one. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { fileExists } from '../../core/files.ts';
import { hashFile } from '../../core/hash.ts';
import { InputError } from '../../core/input-error.ts';
import { runStepOnce } from '../../core/manifest.ts';
import { writeFileAtomically } from '../../core/write-file.ts';
import { readAdapterConfig } from '../../model/files/adapter-config.ts';
import { baseModelHash } from '../base-model.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { adapterConfigFile, nameBaseModel } from './base-model-name.ts';
import { adapterFile, type FinetuneOutcome, finetuneFiles, lossFile } from './results.ts';

/** The adapter that a round takes as it is; undefined where it trains one. */
export function givenAdapter({ finetune }: Pick<Config, 'finetune'>, round: number): string | undefined {
  return round === 0 ? finetune.round0Adapter : undefined;
}

/**
 * Checks what can be known of a given adapter without its weights.
 *
 * @throws InputError for a folder without an adapter, one that is not plain LoRA, or one that later rounds can't start from
 */
export async function checkGivenAdapter(
  directory: string,
  { finetune: { startFrom, lora } }: Pick<Config, 'finetune'>,
): Promise<void> {
  for (const name of [adapterConfigFile, adapterFile]) {
    if (await fileExists(join(directory, name))) continue;
    throw new InputError({
      file: join(directory, name),
      problem: 'is not there, and finetune.round0Adapter names its folder',
      remedy: 'Name the folder of a PEFT adapter, or remove the key: round 0 then trains one',
    });
  }
  const file = join(directory, adapterConfigFile);
  const { r, lora_alpha: alpha, target_modules: targets } = await readAdapterConfig(file);
  if (startFrom === 'base') return;
  // Expressions and names of single layers are left to the trainer, which knows the model's layers.
  const wantedNames = Array.isArray(lora.targetModules) ? lora.targetModules : undefined;
  const isOfNames = wantedNames && Array.isArray(targets) && targets.every((name) => !name.includes('.'));
  const names = isOfNames ? targets : (wantedNames ?? []);
  const differs =
    isOfNames && (names.some((name) => !wantedNames.includes(name)) || names.length !== wantedNames.length);
  if (r === lora.rank && alpha === lora.alpha && !differs) return;
  const [field, is, wanted] =
    r !== lora.rank
      ? (['r', r, lora.rank] as const)
      : alpha !== lora.alpha
        ? (['lora_alpha', alpha, lora.alpha] as const)
        : (['target_modules', names.join(', '), (wantedNames ?? []).join(', ')] as const);
  const settings = `finetune.lora.rank: ${r}, alpha: ${alpha}`;
  throw new InputError({
    file,
    field,
    problem: `is ${is}, but finetune.lora says ${wanted}, and finetune.startFrom: previous continues from it`,
    remedy: `Set ${settings}${names.length > 0 ? ` and targetModules: [${names.join(', ')}]` : ''}, or finetune.startFrom: base`,
  });
}

/** The step `finetune` of a round that takes an adapter: a copy of it, no steps, no samples. */
export async function takeAdapter(context: StepContext, source: string): Promise<FinetuneOutcome> {
  const { config, run, round } = context;
  const directory = stepDirectory(run, round, 'finetune');
  await checkGivenAdapter(source, config);
  const done = await runStepOnce({
    directory,
    step: 'finetune',
    inputs: {
      model: await baseModelHash(config),
      given: {
        weights: await hashFile(join(source, adapterFile)),
        settings: await hashFile(join(source, adapterConfigFile)),
      },
    },
    work: async () => {
      for (const name of [adapterConfigFile, adapterFile]) await copyFile(join(source, name), join(directory, name));
      await nameBaseModel(directory, config);
      await writeFileAtomically(join(directory, lossFile), '');
      return { outputs: finetuneFiles, metrics: { samples: 0, steps: 0 } };
    },
  });
  return { ...outcomeOf(done), samples: 0, steps: 0 };
}
