/**
 * The activities of the GPU workers. One runs at a time on each GPU.
 */

import type { AskedChunks } from '../src/round/asking/ask-chunks.ts';
import { askServedChunks } from '../src/round/asking/chunk.ts';
import { embedShard } from '../src/round/embed/embed-shard.ts';
import type { EmbedOutcome } from '../src/round/embed/results.ts';
import { evaluateShard } from '../src/round/evaluate/evaluate.ts';
import type { EvaluateShardOutcome } from '../src/round/evaluate/results.ts';
import { embeddingShardDirectory, evaluationShardDirectory } from '../src/round/step-directory.ts';
import {
  type ChunkReference,
  type EmbedShardReference,
  type EvaluateShardReference,
  withParsedInputs,
} from './references.ts';
import { type ActivityDependencies, runStep } from './run-step.ts';
import { loadGpuStepActivities, type StepActivities } from './step-activities.ts';

export interface GpuActivities extends StepActivities<'gpu'> {
  evaluateShard(reference: EvaluateShardReference): Promise<EvaluateShardOutcome>;
  embedShard(reference: EmbedShardReference): Promise<EmbedOutcome>;
  /** Asks all chunks from one on, by a server of the teacher that runs meanwhile. */
  askServedChunks(reference: ChunkReference): Promise<AskedChunks>;
}

/**
 * A GPU step of many hours meets many interruptions, and resumes from its checkpoint after each: only attempts without
 * progress are counted. Ten, because a broken machine often takes the task again before another one does.
 */
const attempts = { maxAttemptsWithoutProgress: 10 };

const stepActivities = await loadGpuStepActivities();

/** Makes the GPU worker's activities. */
export function createGpuActivities(worker: ActivityDependencies): GpuActivities {
  const dependencies = { ...worker, holdsGpu: true };
  return withParsedInputs({
    ...stepActivities(dependencies, attempts),
    evaluateShard: ({ set, shard, ...reference }) =>
      runStep(reference, dependencies, (context) => evaluateShard(context, { set, shard }), {
        ...attempts,
        owns: (place) => [evaluationShardDirectory({ ...place, round: reference.round }, { set, shard })],
      }),
    embedShard: ({ shard, ...reference }) =>
      runStep(reference, dependencies, (context) => embedShard(context, { shard }), {
        ...attempts,
        owns: (place) => [embeddingShardDirectory(place, { shard })],
      }),
    askServedChunks: ({ chunk, allowance, purpose, ...reference }) =>
      runStep(reference, dependencies, (context) => askServedChunks(context, { chunk, allowance, purpose }), attempts),
  });
}
