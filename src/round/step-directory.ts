import { join } from 'node:path';
import { joinInside } from '../core/inside.ts';
import { type RunDirectory, roundDirectory } from '../core/run-directory.ts';
import type { StepContext } from './step-context.ts';
import { type RoundStep, rowOf, type StepName } from './steps.ts';

/** The folder that belongs to one step of one round, and to nothing else: `<run>/round-<k>/<folder>`. */
export function stepDirectory(run: RunDirectory, round: number, step: RoundStep): string {
  return directoryOf(run, round, step) as string;
}

/** The folder of any step, in its round or in its run; undefined for a step that has none. */
export function directoryOf(run: RunDirectory, round: number, step: StepName): string | undefined {
  const { folder } = rowOf(step);
  if (folder === undefined) return undefined;
  return join(folder.of === 'run' ? run.root : roundDirectory(run, round), folder.name);
}

/** The folder of a shard of an evaluation: `<run>/round-<k>/evaluate-shards/<set>-<i>-of-<n>/`. */
export function evaluationShardDirectory(
  { config, run, round }: Pick<StepContext, 'config' | 'run' | 'round'>,
  { set, shard }: { set: string; shard: number },
): string {
  return joinInside(shardsDirectory(run, round, 'evaluate'), `${set}-${shard}-of-${config.evaluate.shards}`);
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
