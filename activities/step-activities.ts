/**
 * The activities that follow from the table of steps: one for each step whose only input is a reference.
 */
import { loadStep } from '../src/round/load-step.ts';
import { ownFolders } from '../src/round/own-folders.ts';
import {
  type OutcomeOf,
  type Queue,
  rowOf,
  type StepName,
  type StepRow,
  stepNames,
  type steps,
} from '../src/round/steps.ts';
import type { StepReference } from './references.ts';
import { type ActivityDependencies, runStep } from './run-step.ts';

type Rows = typeof steps;

/** The step's activity, where it is on the queue. */
type ActivityOf<N extends StepName, Q extends Queue> = Rows[N] extends { activity: infer A extends string; queue: Q }
  ? A
  : never;

/** Name of an activity → the activity, for the steps of a queue. */
export type StepActivities<Q extends Queue> = {
  [N in StepName as ActivityOf<N, Q>]: (reference: StepReference) => Promise<OutcomeOf<N>>;
};

/** Makes the activities of some steps' functions. */
export type StepActivityFactory<Q extends Queue> = (
  dependencies: ActivityDependencies,
  options?: { maxAttemptsWithoutProgress?: number },
) => StepActivities<Q>;

/**
 * Loads the steps of a queue that have an activity: when a process starts, so that later changes of the code on the disk
 * don't get mixed in.
 */
export function loadStepsOf(queue: Queue) {
  return loadSteps((row) => row.queue === queue);
}

async function loadSteps(isWanted: (row: StepRow) => boolean) {
  const rows = stepNames.map((name) => ({ name, ...rowOf(name) })).filter(isWanted);
  return Promise.all(
    rows.flatMap(({ name, activity }) =>
      activity === undefined
        ? []
        : [loadStep(name).then((functions) => ({ name, activity, step: functions.activity }))],
    ),
  );
}

/** Makes the activities of the GPU workers' steps, and of those that ask a teacher whose server they start. */
export async function loadGpuStepActivities(): Promise<StepActivityFactory<'gpu'>> {
  const loaded = await loadSteps((row) => row.queue === 'gpu' || row.asksTeacher === true);
  return (dependencies, options) =>
    Object.fromEntries(
      loaded.map(({ name, activity, step }) => [
        activity,
        (reference: StepReference) =>
          runStep(reference, dependencies, step, { ...options, owns: ownFolders(reference.round, name) }),
      ]),
    ) as StepActivities<'gpu'>;
}
