import type { StepOutcome } from '../step-context.ts';

export interface GenerateOutcome extends StepOutcome {
  answers: number;
  /** Requests left without an answer: the budget was used up, or they failed time and again. */
  unanswered: number;
  /** Of all calls, in the currency of the prices: what counts for the budget, for a teacher that is free too. */
  cost: number;
  /** Absent for a model without a price, and for a teacher that is free. */
  currency?: string | undefined;
  promptTokens: number;
  completionTokens: number;
}

/** The teacher's raw answers, one a line, in the order of the requests. */
export const rawAnswersFile = 'gptvqa_result.jsonl';
