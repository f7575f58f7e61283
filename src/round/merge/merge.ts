import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hashFile } from '../../core/hash.ts';
import { InputError } from '../../core/input-error.ts';
import { joinInside } from '../../core/inside.ts';
import { type Pruned, readPrunedRecord } from '../../core/pruned.ts';
import { writeAskingFiles } from '../../model/files/asking-files.ts';
import { modelFiles, replace } from '../../model/files/model-directory.ts';
import { runTrainerStep } from '../../trainer/supervisor/trainer-step.ts';
import { baseModelHash } from '../base-model.ts';
import { mixtureFiles, roundMixture } from '../finetune/round-mixture.ts';
import { finishedStep } from '../finished-step.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import type { MergeOutcome } from './results.ts';

/**
 * 2: the model's companion files go along, chat templates too. 3: its chat template and generation config are those of training.
 * 4: weights have the base model's type.
 */
const mergeVersion = 4;
const paritySamples = 4;
/** The largest difference of a logit between the merged model and base + adapter. */
export const parityTolerance = 1e-3;

/**
 * Merges the round's adapter into the base model: `round-<k>/merged/` is a model directory in Hugging Face's format. One that
 * was merged and pruned counts as done.
 */
export function merge(context: StepContext): Promise<MergeOutcome> {
  return mergeOnce(context, undefined);
}

/**
 * The same for a person who asks for the model: one that was pruned is made again.
 *
 * @throws InputError when base model and adapter do not give the same bytes as before
 */
export async function mergeAgain(context: StepContext): Promise<MergeOutcome> {
  return mergeOnce(context, await readPrunedRecord(stepDirectory(context.run, context.round, 'merge')));
}

async function mergeOnce(context: StepContext, pruned: Pruned | undefined): Promise<MergeOutcome> {
  const { config, run, round } = context;
  const finetuned = await finishedStep(run, round, 'finetune', { weights: true });
  const directory = stepDirectory(run, round, 'merge');
  const partial = join(directory, 'model.partial');
  // An attempt that is killed while it compares the models leaves the one that it has written to the next.
  const written = join(directory, 'model.written.tmp');
  const done = await runTrainerStep({
    context,
    directory,
    step: 'merge',
    redo: pruned !== undefined,
    inputs: {
      version: mergeVersion,
      model: await baseModelHash(config),
      adapter: finetuned.manifest.outputs,
      dtype: config.merge.dtype,
      paritySamples,
      parityTolerance,
    },
    prepare: async () => {
      if (!existsSync(written)) await rm(partial, { recursive: true, force: true });
      const { samples } = mixtureFiles(finetuned.directory);
      // Another machine did the finetune: the images of its samples are on its own disk.
      if (!existsSync(samples)) await (await roundMixture(context)).write(finetuned.directory);
      return {
        kind: 'merge',
        model: config.model.path,
        adapter: finetuned.directory,
        output: partial,
        dtype: config.merge.dtype,
        written,
        parity: {
          samples,
          count: paritySamples,
          tolerance: parityTolerance,
          weightDtype: config.finetune.weightDtype,
        },
      };
    },
    finish: async ({ metrics }) => {
      // From here on what is written is moved out of its folder.
      await rm(written, { force: true });
      await writeAskingFiles(partial);
      if (pruned !== undefined) await requireSame(partial, pruned);
      const files = await modelFiles(partial);
      for (const name of await readdir(partial)) await replace(join(partial, name), join(directory, name));
      await rm(partial, { recursive: true });
      return { outputs: files, metrics };
    },
  });
  return { ...outcomeOf(done), parity: done.manifest.metrics.maximumDifference ?? 0 };
}

/** The round's scores are of the model that was pruned. */
async function requireSame(folder: string, { files }: Pruned): Promise<void> {
  for (const [name, { sha256 }] of Object.entries(files)) {
    if ((await hashFile(joinInside(folder, name))) === sha256) continue;
    throw new InputError({
      file: folder,
      problem: `${name} is not what it was before it was pruned: the base model or the program has changed`,
      remedy: 'Restore them; or remove the folder of the step, and the round is merged and evaluated anew',
    });
  }
}
