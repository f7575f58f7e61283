/** The folders that work writes. For runs in a store: no other attempt may finish them in the meantime. */
import { evaluationSets } from './evaluation-sets.ts';
import { judges } from './judge/work.ts';
import type { StepContext } from './step-context.ts';
import { directoryOf, embeddingShardDirectory, evaluationShardDirectory } from './step-directory.ts';
import { rowOf, type StepName } from './steps.ts';

type Place = Pick<StepContext, 'config' | 'run'>;
type Folders = (place: Place) => string[];

/**
 * The folders that a step's activity writes: its own, and those of the steps that it does too. None of a step that each
 * machine does for itself.
 */
export function ownFolders(round: number, step: StepName): Folders {
  const names = [step, ...(rowOf(step).alsoWrites ?? [])] as StepName[];
  const shared = names.filter((name) => !rowOf(name).local.includes('*'));
  return ({ run }) => shared.map((name) => directoryOf(run, round, name)).filter((folder) => folder !== undefined);
}

/** The same with the folders of all its shards, where one process does the whole step. */
export function ownWholeStep(round: number, step: StepName): Folders {
  return (place) => [
    ...allShards(place, round, step),
    ...(step === 'evaluate' && judges(place.config) ? ownFolders(round, 'judge')(place) : []),
    ...ownFolders(round, step)(place),
  ];
}

function allShards(place: Place, round: number, step: StepName): string[] {
  const { config, run } = place;
  if (step === 'embed') {
    const { embeddingShards: count } = config.sampling;
    return count === 1 ? [] : numbersBelow(count).map((shard) => embeddingShardDirectory(place, { shard }));
  }
  if (step !== 'evaluate') return [];
  return evaluationSets(config, run).flatMap(({ name: set }) =>
    numbersBelow(config.evaluate.shards).map((shard) => evaluationShardDirectory({ ...place, round }, { set, shard })),
  );
}

function numbersBelow(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}
