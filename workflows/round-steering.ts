/**
 * How a round follows what is said to its run, and tells the run what it is at.
 */
import { getExternalWorkflowHandle, setHandler, workflowInfo } from '@temporalio/workflow';
import type { StepRecord } from './messages.ts';
import { type Steer, steerSignal, stepNewsSignal } from './steering-messages.ts';
import type { StepAttempts } from './step-attempts.ts';

/**
 * Follows the signal `steer` from now on.
 *
 * @param passOn what else is to be told of a pause, such as a generation under way
 */
export function followSteering(attempts: StepAttempts, passOn: (steer: Steer) => Promise<void>): void {
  setHandler(steerSignal, async (steer) => {
    if (steer.paused !== undefined) attempts.paused = steer.paused ?? undefined;
    if (steer.answer !== undefined) attempts.answer = steer.answer;
    if (steer.paused !== undefined) await passOn({ paused: steer.paused });
  });
}

/** Tells the run; a round that was started by hand has none. */
export async function tellRun(round: number, record: StepRecord, attempts: StepAttempts): Promise<void> {
  const { parent } = workflowInfo();
  if (parent === undefined) return;
  const news = { round, step: record.name, waiting: attempts.waiting };
  // A run that ended takes its rounds with it.
  await getExternalWorkflowHandle(parent.workflowId)
    .signal(stepNewsSignal, news)
    .catch(() => undefined);
}
