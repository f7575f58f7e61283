/**
 * The activities of the GPU workers. One runs at a time on each GPU.
 */
import { joinOrEmbed } from '../src/round/embed/embed.ts';
import { embedShard } from '../src/round/embed/embed-shard.ts';
import { evaluateShard } from '../src/round/evaluate/evaluate.ts';
import { finetune } from '../src/round/finetune/finetune.ts';
import { merge } from '../src/round/merge/merge.ts';
import type { RunWork } from '../src/round/open-run.ts';
import type { EmbedOutcome, EvaluateShardOutcome, FinetuneOutcome, MergeOutcome } from '../src/round/outcomes.ts';
import { ownEmbeddingShard, ownFolders, ownShard } from '../src/round/own-folders.ts';
import type { StepContext } from '../src/round/step-context.ts';
import type { EmbedShardReference, EvaluateShardReference, StepReference } from './references.ts';
import { type ActivityDependencies, runStep } from './run-step.ts';

export interface GpuActivities {
  finetune(reference: StepReference): Promise<FinetuneOutcome>;
  merge(reference: StepReference): Promise<MergeOutcome>;
  evaluateShard(reference: EvaluateShardReference): Promise<EvaluateShardOutcome>;
  /** Joins the parts, or embeds all where there are no parts. */
  embed(reference: StepReference): Promise<EmbedOutcome>;
  embedShard(reference: EmbedShardReference): Promise<EmbedOutcome>;
}

/**
 * A GPU step of many hours meets many interruptions, and goes on from its checkpoint after each: only attempts that come
 * no further are counted. Ten, for a machine that is out of order often takes the task again before another does.
 */
const patience = { fruitlessAttempts: 10 };

/** Makes the GPU worker's activities. */
export function createGpuActivities(dependencies: ActivityDependencies): GpuActivities {
  const run = <R>(reference: StepReference, step: (context: StepContext) => Promise<R>, owns: RunWork['owns']) =>
    runStep(reference, dependencies, step, owns, patience);
  return {
    finetune: (reference) => run(reference, finetune, ownFolders(reference.round, 'finetune')),
    merge: (reference) => run(reference, merge, ownFolders(reference.round, 'merge')),
    evaluateShard: ({ set, shard, ...reference }) =>
      run(reference, (context) => evaluateShard(context, { set, shard }), ownShard(reference.round, { set, shard })),
    embed: (reference) => run(reference, joinOrEmbed, ownFolders(reference.round, 'embed')),
    embedShard: ({ shard, ...reference }) =>
      run(reference, (context) => embedShard(context, { shard }), ownEmbeddingShard(shard)),
  };
}
