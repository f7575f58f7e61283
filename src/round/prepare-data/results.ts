import type { StepOutcome } from '../step-context.ts';

export interface PrepareDataOutcome extends StepOutcome {
  questions: number;
  images: number;
  /** What a person should know although nothing is wrong; absent where there is nothing. */
  notes?: string[];
  /** Whether the teacher's key and whether it answers are for a worker of the teacher's queue to find out. */
  leavesTeacher?: boolean;
  /** Reason → records of base datasets that are not trained on; absent where there are none. */
  leftOut?: Record<string, number>;
}
