import type { StepOutcome } from '../step-context.ts';

export interface CheckServingOutcome extends StepOutcome {
  questions: number;
  /** Texts that part at a token whose two candidates are as likely as one another. */
  nearTies: number;
  /** The largest difference of a loss; absent where the server gives none. */
  largestLossDifference?: number;
}

/** The comparisons, with the first difference where there is one. */
export const servingComparisonFile = 'comparison.json';
