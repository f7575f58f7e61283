import { Context } from '@temporalio/activity';
import type { StepProgress } from '../steps/step-context.ts';

const beatMilliseconds = 1000;

/** What the Temporal UI and `dataengine watch` show of a running activity. */
export interface HeartbeatDetails extends Partial<StepProgress> {
  round: number;
}

/**
 * Heartbeats while the work runs, with its newest progress. The beat is kept up when no progress is made:
 * it says that the worker lives. A stuck trainer is noticed by `runTrainer`, and ends the activity.
 */
export async function withHeartbeat<R>(
  round: number,
  work: (onProgress: (progress: StepProgress) => void) => Promise<R>,
): Promise<R> {
  const context = Context.current();
  let details: HeartbeatDetails = { round };
  context.heartbeat(details);
  const timer = setInterval(() => context.heartbeat(details), beatMilliseconds);
  try {
    return await work((progress) => {
      details = { round, ...progress };
    });
  } finally {
    clearInterval(timer);
  }
}
