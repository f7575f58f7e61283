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
export async function checkGivenAdapter(directory: string, { finetune }: Pick<Config, 'finetune'>): Promise<void> {
  for (const name of [adapterConfigFile, adapterFile]) {
    if (await fileExists(join(directory, name))) continue;
    throw new InputError({
      file: join(directory, name),
      problem: 'is not there, and finetune.round0Adapter names its folder',
      remedy: 'Name the folder of a PEFT adapter, or remove the key: round 0 then trains one',
    });
  }
  const file = join(directory, adapterConfigFile);
  const settings = await readAdapterConfig(file);
  if (finetune.startFrom === 'base') return;
  const { lora, trainable = [] } = finetune;
  const { r, lora_alpha, use_rslora, use_dora, target_modules: targets } = settings;
  const saved = settings.modules_to_save ?? [];
  // Expressions and names of single layers are left to the trainer, which knows the model's layers.
  const names = Array.isArray(targets) && targets.every((name) => !name.includes('.')) ? targets : undefined;
  const wanted = Array.isArray(lora.targetModules) ? lora.targetModules : undefined;
  const compared = [
    { field: 'r', key: 'lora', is: r, wanted: lora.rank },
    { field: 'lora_alpha', key: 'lora', is: lora_alpha, wanted: lora.alpha },
    { field: 'use_rslora', key: 'lora.rslora', is: use_rslora ?? false, wanted: lora.rslora ?? false },
    { field: 'use_dora', key: 'lora.dora', is: use_dora ?? false, wanted: lora.dora ?? false },
    // How a family names its projection is left to the trainer.
    { field: 'modules_to_save', key: 'trainable', is: saved.length > 0 && 'projection', wanted: trainable[0] ?? false },
    ...(names && wanted ? [{ field: 'target_modules', key: 'lora', is: inOrder(names), wanted: inOrder(wanted) }] : []),
  ];
  const other = compared.find((one) => one.is !== one.wanted);
  if (other === undefined) return;
  const values = [
    `finetune.lora.rank: ${r}, alpha: ${lora_alpha}`,
    ...(use_rslora ? ['rslora: true'] : []),
    ...(use_dora ? ['dora: true'] : []),
    ...(names ? [`targetModules: [${names.join(', ')}]`] : []),
    ...(saved.length > 0 ? ['finetune.trainable: [projection]'] : []),
  ];
  throw new InputError({
    file,
    field: other.field,
    problem: `is ${said(other.is)}, but finetune.${other.key} says ${said(other.wanted)}, and finetune.startFrom: previous continues from it`,
    remedy: `Set ${values.join(', ')}, or finetune.startFrom: base`,
  });
}

const said = (value: unknown) => (value === false ? 'not set' : value);
const inOrder = (names: readonly string[]) => [...new Set(names)].sort().join(', ');

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
