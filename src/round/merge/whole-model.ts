/** The merged model of a round, made again where it was pruned. */
import { join } from 'node:path';
import { type Manifest, readManifest } from '../../core/manifest.ts';
import { readPruned, readPrunedRecord } from '../../core/pruned.ts';
import { withLock } from '../../core/with-lock.ts';
import { finishedStep } from '../finished-step.ts';
import type { StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { mergeAgain } from './merge.ts';

/**
 * The merged model with all its weights. A pruned one is made again from base model and adapter, by one process at a time, and
 * has the same bytes as before.
 *
 * @throws InputError when the step has not finished, or base model or program have changed, so that it is another model
 */
export async function wholeMergedModel(context: StepContext): Promise<{ directory: string; manifest: Manifest }> {
  const { run, round, signal } = context;
  const directory = stepDirectory(run, round, 'merge');
  await run.stored?.download(directory, { weights: true });
  if (!(await isWhole(directory))) {
    await withLock(
      join(directory, '.merge-again.lock'),
      async () => {
        // Another shard's process may have done it meanwhile.
        if (!(await isWhole(directory))) await mergeAgain(context);
      },
      { signal },
    );
  }
  return finishedStep(run, round, 'merge', { weights: true });
}

/**
 * The merged model's folder and manifest, for work that may not need the weights. While another process makes a pruned model
 * again, there is no manifest: then this waits for it.
 *
 * @throws InputError when the step has not finished
 */
export async function mergedModel(context: StepContext): Promise<{ directory: string; manifest: Manifest }> {
  const { run, round } = context;
  const directory = stepDirectory(run, round, 'merge');
  await run.stored?.download(directory);
  const isMadeAgain =
    (await readManifest(directory)) === undefined && (await readPrunedRecord(directory)) !== undefined;
  return isMadeAgain ? wholeMergedModel(context) : finishedStep(run, round, 'merge');
}

/** A killed attempt at making it again leaves the record, and no manifest. */
async function isWhole(directory: string): Promise<boolean> {
  if ((await readPrunedRecord(directory)) === undefined) return true;
  return (await readPruned(directory)) === undefined && (await readManifest(directory)) !== undefined;
}
