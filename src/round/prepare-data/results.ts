import type { StepOutcome } from '../step-context.ts';

export interface PrepareDataOutcome extends StepOutcome {
  questions: number;
  images: number;
}
