import type { StepOutcome } from '../step-context.ts';

export interface PrepareDataOutcome extends StepOutcome {
  questions: number;
  images: number;
  /** Reason → records of base datasets that are not trained on; absent where there are none. */
  leftOut?: Record<string, number>;
}
