/**
 * The inputs of activities: references to the data, never the data.
 */
import type { Verdict } from '../src/round/gate/gate.ts';

export interface StepReference {
  /** Absolute path or URI (`s3://…/runs/<run>`); its `config.json` is the frozen config of the run. */
  runDirectory: string;
  round: number;
}

export interface EvaluateShardReference extends StepReference {
  /** Name of the evaluation set: `validation`, `test` or a benchmark's. */
  set: string;
  shard: number;
}

export interface EmbedShardReference extends StepReference {
  shard: number;
}

export interface GateReference extends StepReference {
  /** A person's decision, or the default after nobody decided in time. */
  given?: Verdict;
}

/** A chunk of a round's requests to the teacher. */
export interface ChunkReference extends StepReference {
  chunk: number;
  /** generate: for new samples. verify: about them. Default: generate. */
  purpose?: 'generate' | 'verify';
  /** What it may cost since the generation was started, in the currency of the prices; absent without a budget. */
  allowance?: number;
}

/** A notification for people. */
export interface NotificationReference extends StepReference {
  text: string;
}

/** A batch at the teacher. */
export interface BatchReference extends StepReference {
  batch: string;
}
