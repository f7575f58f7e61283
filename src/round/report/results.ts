import type { StepOutcome } from '../step-context.ts';

export interface ReportOutcome extends StepOutcome {
  file: string;
}
