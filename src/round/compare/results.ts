import { join } from 'node:path';
import type { z } from 'zod';
import { readJson } from '../../core/read-json.ts';
import { forgettingSchema } from '../../evaluation/forgetting.ts';
import { roundComparisonSchema } from '../../evaluation/round-comparison.ts';
import type { StepOutcome } from '../step-context.ts';

/** A round's model against that of the last good round, on the validation questions. */
export interface CompareOutcome extends StepOutcome {
  /** The last good round; absent for round 0. */
  builtOn?: number | undefined;
  /** Whether the decision is a person's. */
  asksPerson: boolean;
  worse: boolean;
  /** What the change means, in a sentence: where it is worse, and by how much; empty for round 0. */
  reason: string;
  /** Of multiple choice, in points (percent); 0 for round 0. */
  change: number;
  /** That it got worse overall, one-sided. */
  pValue: number;
  /** Of the questions that the best earlier rounds got right, how many there are and how many are wrong now. */
  remembered: number;
  forgotten: number;
  /** The page for the person who decides. */
  samplesPage?: string | undefined;
}

export const comparisonFile = 'comparison.json';
export const forgottenFile = 'forgotten.json';
/** The page for the person who decides. */
export const approvalPage = 'samples.html';

/** Reads the paired tests from the step's folder. */
export function readComparison(directory: string): Promise<z.output<typeof roundComparisonSchema>> {
  return readJson(join(directory, comparisonFile), roundComparisonSchema);
}

/** Reads what the best earlier rounds got right and this one doesn't. */
export function readForgotten(directory: string): Promise<z.output<typeof forgettingSchema>> {
  return readJson(join(directory, forgottenFile), forgettingSchema);
}
