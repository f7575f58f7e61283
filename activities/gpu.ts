/**
 * The activities of the GPU workers. One runs at a time on each GPU.
 */
import { embed } from '../steps/embed.ts';
import { evaluateShard } from '../steps/evaluate.ts';
import { finetune } from '../steps/finetune.ts';
import { merge } from '../steps/merge.ts';
import type { EmbedOutcome, EvaluateShardOutcome, FinetuneOutcome, MergeOutcome } from '../steps/outcomes.ts';
import { ownFolders, ownShard } from '../steps/own-folders.ts';
import type { EvaluateShardReference, StepReference } from './references.ts';
import { type ActivityDependencies, runStep } from './run-step.ts';

export interface GpuActivities {
  finetune(reference: StepReference): Promise<FinetuneOutcome>;
  merge(reference: StepReference): Promise<MergeOutcome>;
  evaluateShard(reference: EvaluateShardReference): Promise<EvaluateShardOutcome>;
  embed(reference: StepReference): Promise<EmbedOutcome>;
}

/** Makes the GPU worker's activities. */
export function createGpuActivities(dependencies: ActivityDependencies = {}): GpuActivities {
  return {
    finetune: (reference) => runStep(reference, dependencies, finetune, ownFolders(reference.round, 'finetune')),
    merge: (reference) => runStep(reference, dependencies, merge, ownFolders(reference.round, 'merge')),
    evaluateShard: ({ set, shard, ...reference }) =>
      runStep(
        reference,
        dependencies,
        (context) => evaluateShard(context, { set, shard }),
        ownShard(reference.round, { set, shard }),
      ),
    embed: (reference) => runStep(reference, dependencies, embed, ownFolders(reference.round, 'embeddings')),
  };
}
