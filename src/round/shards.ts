/** Steps that are done in shards, each by another GPU worker, and joined afterwards. */
import { join } from 'node:path';
import { InputError } from '../core/input-error.ts';
import type { Manifest } from '../core/manifest.ts';
import { type RunDirectory, roundDirectory } from '../core/run-directory.ts';
import { manifestIn, type Needed } from './finished-step.ts';
import type { StepContext } from './step-context.ts';
import { rowOf } from './steps.ts';

/** The folder of a shard of an evaluation: `<run>/round-<k>/evaluate-shards/<set>-<i>-of-<n>/`. */
export function evaluationShardDirectory(
  { config, run, round }: Pick<StepContext, 'config' | 'run' | 'round'>,
  { set, shard }: { set: string; shard: number },
): string {
  return join(shardsDirectory(run, round, 'evaluate'), `${set}-${shard}-of-${config.evaluate.shards}`);
}

/** The folder of a shard of the embeddings: `<run>/embedding-shards/<i>-of-<n>/`. */
export function embeddingShardDirectory(
  { config, run }: Pick<StepContext, 'config' | 'run'>,
  { shard }: { shard: number },
): string {
  return join(shardsDirectory(run, 0, 'embed'), `${shard}-of-${config.sampling.embeddingShards}`);
}

/** The folder of the shards of a step, in its round or in its run. */
export function shardsDirectory(run: RunDirectory, round: number, step: 'evaluate' | 'embed'): string {
  const { folder, shards } = rowOf(step);
  return join(folder?.of === 'run' ? run.root : roundDirectory(run, round), shards?.folder ?? '');
}

/**
 * The items of one of several shards. Neighbors stay together: the features of an image are computed once for the
 * questions about it. The sizes of shards differ by one at most.
 */
export function itemsOfShard<T>(all: readonly T[], shard: number, count: number): T[] {
  return all.slice(Math.floor((shard * all.length) / count), Math.floor(((shard + 1) * all.length) / count));
}

/** The manifest of a shard that must have finished. @throws InputError that names the command to run first */
export async function requireShard(
  { run, round }: Pick<StepContext, 'run' | 'round'>,
  step: 'evaluate' | 'embed',
  folder: string,
  needed?: Needed,
): Promise<Manifest> {
  const manifest = await manifestIn(run, folder, needed);
  if (manifest !== undefined) return manifest;
  const { firstRound } = rowOf(step);
  throw new InputError({
    file: folder,
    problem: `this shard of the step ${step} has not finished`,
    remedy: `Run \`dataengine ${step} --round ${Math.max(round, firstRound)}\` with the same config first`,
  });
}
