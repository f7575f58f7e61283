/** What a check before a run is: a row of the table in `checks.ts`. */
import type { StepContext } from '../step-context.ts';
import type { StepName } from '../steps.ts';

/**
 * Where something can be known. config: wherever the config can be read. files: where the data and the model are. worker: only
 * where the work is done, since it is about its keys, its network and its disk.
 */
export type Place = 'config' | 'files' | 'worker';

/** What the checks are given. */
export type PreflightContext = Pick<
  StepContext,
  'config' | 'run' | 'signal' | 'extensions' | 'access' | 'asksNoTeacher'
>;

/** A row of the table. */
export interface PreflightCheck {
  /** What it is about, as it is listed where it can't be checked. */
  what: string;
  known: Place;
  /** The steps that need it, for steps by hand; absent for those of all. */
  steps?: readonly StepName[];
  /** Whether the config has anything to check. */
  applies?(context: PreflightContext): boolean;
  /**
   * @param step by hand, where it is for one
   * @returns what a person should know although nothing is wrong @throws InputError for what is wrong
   */
  find(context: PreflightContext, step?: StepName): Promise<string[] | undefined>;
}
