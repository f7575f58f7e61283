import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import type { Progress } from '../src/trainer/protocol.ts';
import { toActivityFailure } from './errors.ts';

const beatMilliseconds = 1000;
const longestDelay = 60_000;

/** What the Temporal UI and `dataengine watch` show of a running activity. */
export interface HeartbeatDetails extends Partial<Progress> {
  round: number;
  /** How far any attempt came in the step's main work, and the attempt that came there first. */
  furthest?: { step: number; attempt: number };
}

const earlierDetailsSchema = z.object({
  furthest: z.object({ step: z.number(), attempt: z.number() }).optional(),
});

/**
 * Heartbeats while the work runs, with its newest progress. The beat is kept up when no progress is made:
 * it says that the worker lives. A stuck trainer is noticed by `runTrainer`, and ends the activity.
 *
 * Long work meets many failures that pass. Once an attempt has come further than those before it, the time to the next
 * one counts from there, not from the first.
 *
 * @param options.fruitlessAttempts how many attempts in a row may come no further than an earlier one. The last of them
 *   fails for good, with its own error; when it could not say so itself, the attempt after it does. Default: no limit
 *   but the retry policy's
 * @throws ApplicationFailure, not retryable
 */
export async function withHeartbeat<R>(
  round: number,
  work: (onProgress: (progress: Progress) => void) => Promise<R>,
  { fruitlessAttempts = Number.POSITIVE_INFINITY }: { fruitlessAttempts?: number } = {},
): Promise<R> {
  const context = Context.current();
  const { attempt, heartbeatDetails } = context.info;
  let furthest = earlierDetailsSchema.safeParse(heartbeatDetails).data?.furthest;
  const fruitless = () => attempt - (furthest?.attempt ?? 0);
  if (fruitless() > fruitlessAttempts) {
    const where = furthest === undefined ? 'came to any progress' : `came further than step ${furthest.step}`;
    throw ApplicationFailure.nonRetryable(
      `None of the last ${fruitlessAttempts} attempts ${where}; the last one died without a word`,
      'NoProgress',
    );
  }
  let details: HeartbeatDetails = { round, furthest };
  context.heartbeat(details);
  const timer = setInterval(() => context.heartbeat(details), beatMilliseconds);
  try {
    return await work((progress) => {
      if (progress.phase === undefined && progress.step > (furthest?.step ?? 0)) {
        furthest = { step: progress.step, attempt };
      }
      details = { round, ...progress, furthest };
    });
  } catch (error) {
    if (context.cancellationSignal.aborted) throw error;
    // What the next attempt begins with: the last beat may be a second old.
    context.heartbeat(details);
    if (fruitless() >= fruitlessAttempts) throw failureOf(error, { nonRetryable: true });
    throw furthest === undefined ? error : failureOf(error, { nextRetryDelay: delayAfter(fruitless()) });
  } finally {
    clearInterval(timer);
  }
}

/** The error as the activity's failure, changed; what is said of the delay already holds. */
function failureOf(error: unknown, changes: { nonRetryable?: true; nextRetryDelay?: number }): ApplicationFailure {
  const failure = ApplicationFailure.fromError(toActivityFailure(error));
  return ApplicationFailure.fromError(failure, {
    nonRetryable: changes.nonRetryable ?? failure.nonRetryable ?? false,
    nextRetryDelay: failure.nextRetryDelay ?? changes.nextRetryDelay,
  });
}

/** As a retry policy would have it that counts the fruitless attempts alone, in milliseconds. */
function delayAfter(fruitless: number): number {
  return Math.min(longestDelay, 1000 * 2 ** fruitless);
}
