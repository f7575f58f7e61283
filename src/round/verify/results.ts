import type { StepOutcome } from '../step-context.ts';

export interface VerifyOutcome extends StepOutcome {
  /** How many samples were asked about, and how often the teacher answered. */
  samples: number;
  answers: number;
  /** Questions left without an answer: the budget was used up, or they failed time and again. */
  unanswered: number;
  promptTokens: number;
  completionTokens: number;
}

/** What the teacher answered about each sample, one a line. */
export const verifiedFile = 'verified.jsonl';
