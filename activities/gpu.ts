/**
 * The activities of the GPU workers. One runs at a time on each GPU.
 */

import { embedShard } from '../src/round/embed/embed-shard.ts';
import type { EmbedOutcome } from '../src/round/embed/results.ts';
import { evaluateShard } from '../src/round/evaluate/evaluate.ts';
import type { EvaluateShardOutcome } from '../src/round/evaluate/results.ts';
import { embeddingShardDirectory, evaluationShardDirectory } from '../src/round/step-directory.ts';
import { type EmbedShardReference, type EvaluateShardReference, withParsedInputs } from './references.ts';
import { type ActivityDependencies, runStep } from './run-step.ts';
import { loadStepActivities, type StepActivities } from './step-activities.ts';

export interface GpuActivities extends StepActivities<'gpu'> {
  evaluateShard(reference: EvaluateShardReference): Promise<EvaluateShardOutcome>;
  embedShard(reference: EmbedShardReference): Promise<EmbedOutcome>;
}

/**
 * A GPU step of many hours meets many interruptions, and resumes from its checkpoint after each: only attempts without
 * progress are counted. Ten, because a broken machine often takes the task again before another one does.
 */
const attempts = { maxAttemptsWithoutProgress: 10 };

const stepActivities = await loadStepActivities('gpu');

/** Makes the GPU worker's activities. */
export function createGpuActivities(dependencies: ActivityDependencies): GpuActivities {
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
  });
}
