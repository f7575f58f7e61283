import type { StepOutcome } from '../step-context.ts';

export interface SelectOutcome extends StepOutcome {
  accepted: number;
  rejected: number;
  tooEasy: number;
  tooHard: number;
  /** Of the wanted difficulty, but more than `sampling.requests`. */
  spare: number;
}

/** A line for each sample: how likely the model is to choose the right choice, and whether the sample is kept. */
export const difficultyFile = 'difficulty.jsonl';
