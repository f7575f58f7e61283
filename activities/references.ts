/**
 * What the workflows hand to the activities: where to look, never the data.
 */

export interface StepReference {
  /** Absolute path; its `config.json` is the frozen config of the run. */
  runDirectory: string;
  round: number;
}

export interface EvaluateShardReference extends StepReference {
  split: 'validation' | 'test';
  shard: number;
}
