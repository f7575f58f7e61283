import type { StepOutcome } from '../step-context.ts';

export interface DiscoverOutcome extends StepOutcome {
  /** Types in use, `other` included; of those that wait for a person, too. */
  types: number;
  /** Types that this round has proposed. */
  proposed: number;
  /** The list waits for a person. */
  waits: boolean;
  /** Where this round's list is; absent when the round has proposed none. */
  file?: string;
  /** Agreement of two independent sortings of the validation questions beyond chance (Cohen's kappa). */
  kappa?: number;
}
