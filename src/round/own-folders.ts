/** The folders that a step's work writes, for runs in a store: nobody else may finish them meanwhile. */
import { type StepName, stepDirectory } from '../core/run-directory.ts';
import { shardDirectory } from './evaluate.ts';
import { evaluationSets } from './evaluation-sets.ts';
import { embeddingPartDirectory, embeddingsDirectory } from './image-embeddings.ts';
import type { StepContext } from './step-context.ts';

type Place = Pick<StepContext, 'config' | 'run'>;

/** A step of a round, the run's embeddings, their parts, or an evaluation with all its parts. */
export type Owned = StepName | 'embeddings' | 'embedding-parts' | 'evaluation';

/** The folders of some steps. */
export function ownFolders(round: number, ...owned: Owned[]): (place: Place) => string[] {
  return (place) =>
    owned.flatMap((one) => {
      if (one === 'embeddings') return [embeddingsDirectory(place.run)];
      if (one === 'embedding-parts') return embeddingParts(place);
      if (one === 'evaluation') return evaluationFolders(place, round);
      return [stepDirectory(place.run, round, one)];
    });
}

/** The folder of one part of an evaluation. */
export function ownShard(round: number, { set, shard }: { set: string; shard: number }): (place: Place) => string[] {
  return (place) => [shardDirectory({ ...place, round }, set, shard)];
}

/** The folder of one part of the embeddings. */
export function ownEmbeddingPart(shard: number): (place: Place) => string[] {
  return ({ run, config }) => [embeddingPartDirectory(run, shard, config.sampling.embeddingShards)];
}

function embeddingParts(place: Place): string[] {
  const { embeddingShards: count } = place.config.sampling;
  return count === 1 ? [] : Array.from({ length: count }, (_, shard) => ownEmbeddingPart(shard)(place)).flat();
}

function evaluationFolders(place: Place, round: number): string[] {
  const shards = evaluationSets(place.config, place.run).flatMap(({ name: set }) =>
    Array.from({ length: place.config.evaluate.shards }, (_, shard) => ownShard(round, { set, shard })(place)),
  );
  return [...shards.flat(), stepDirectory(place.run, round, 'evaluate')];
}
