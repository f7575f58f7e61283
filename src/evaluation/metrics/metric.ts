/** What a metric defines: how a written answer is scored against the references of its question. Pure functions. */

import type { JsonFields } from './json-fields.ts';

/** What a config may say about a metric. Each metric lists the settings that it has. */
export interface MetricSettings {
  /** Allowed deviation of a number, as a share of the reference. */
  tolerance?: number | undefined;
  /** The fields of an object that count. Default: all, as texts. */
  fields?: JsonFields | undefined;
}

/** The settings, and what is known of an answer besides its words. */
export interface ScoringFacts extends MetricSettings {
  /** The score that a judge has given, 0 to 1. */
  judged?: number | undefined;
}

export interface Metric {
  /** As people write it. */
  title: string;
  /** Whose definition it is, and the code that it is checked against. */
  source: string;
  /** The settings that it takes. */
  settings?: readonly (keyof MetricSettings)[];
  /** A teacher gives the score, before the metric is asked for it. */
  needsJudge?: boolean;
  /** Tokens that an answer may have. */
  maximumNewTokens: number;
  /** Why answers can't be scored against these references; undefined when they can. There is at least one. */
  problem?(references: readonly string[]): string | undefined;
  /** Why one reference can't be right or wrong by it, whatever the others are; new samples must have none such. */
  referenceProblem?(reference: string): string | undefined;
  /** 0 for wrong to 1 for right, by measure; the first is the main one. */
  score(answer: string, references: readonly string[], facts?: ScoringFacts): Readonly<Record<string, number>>;
}
