import type { StepOutcome } from '../step-context.ts';

export interface MergeOutcome extends StepOutcome {
  /** Largest difference of a logit between the merged model and base + adapter. */
  parity: number;
}
