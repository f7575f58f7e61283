/** Steps that are done in shards, each by another GPU worker, and joined afterwards. */
import { InputError } from '../core/input-error.ts';
import type { Manifest } from '../core/manifest.ts';
import { manifestIn, type Needed } from './finished-step.ts';
import type { StepContext } from './step-context.ts';
import { rowOf } from './steps.ts';

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
