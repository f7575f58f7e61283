import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import type { Progress } from '../src/trainer/protocol.ts';
import { toActivityFailure } from './errors.ts';
import { signOfLife } from './signs-of-life.ts';
import { type OnStandstill, watchStandstill } from './standstill.ts';

const intervalMilliseconds = 1000;
const maximumDelay = 60_000;

/** What the Temporal UI and `dataengine watch` show of a running activity. */
export interface HeartbeatDetails extends Partial<Progress> {
  round: number;
  /** The most progress of any attempt in the step's main work, and the attempt that made it first. */
  furthest?: { step: number; attempt: number };
  /** It was said that attempts come no further. */
  stands?: true;
}

const earlierDetailsSchema = z.object({
  furthest: z.object({ step: z.number(), attempt: z.number() }).optional(),
  stands: z.literal(true).optional(),
});

export interface AttemptLimit {
  /**
   * How many attempts in a row may make no more progress than an earlier one. The last of them fails for good, with its own
   * error; when it could not report that itself, the attempt after it does. Default: no limit but the retry policy's.
   */
  maxAttemptsWithoutProgress?: number;
  onStandstill?: OnStandstill;
}

/**
 * Sends heartbeats with the newest progress while the work runs, also while there is no progress: they say that the worker
 * is alive. A stuck trainer is detected by `runTrainer`, which ends the activity.
 *
 * Long work meets many failures that pass. Once an attempt has made more progress than those before it, the delay before
 * the next one is counted from there, not from the first.
 *
 * @throws ApplicationFailure, not retryable, when too many attempts made no progress
 */
export async function withHeartbeat<R>(
  round: number,
  work: (onProgress: (progress: Progress) => void) => Promise<R>,
  { maxAttemptsWithoutProgress = Number.POSITIVE_INFINITY, onStandstill }: AttemptLimit = {},
): Promise<R> {
  const context = Context.current();
  const { attempt, heartbeatDetails } = context.info;
  let furthest = furthestOf(heartbeatDetails, attempt);
  const attemptsWithoutProgress = () => attempt - (furthest?.attempt ?? 0);
  if (attemptsWithoutProgress() > maxAttemptsWithoutProgress) {
    const what = furthest === undefined ? 'made any progress' : `got further than step ${furthest.step}`;
    throw ApplicationFailure.nonRetryable(
      `None of the last ${maxAttemptsWithoutProgress} attempts ${what}; the last one ended without reporting an error`,
      'NoProgress',
    );
  }
  let details: HeartbeatDetails = { round, furthest };
  const standstill = watchStandstill(parsed(heartbeatDetails)?.stands === true, onStandstill);
  const heartbeat = () => {
    context.heartbeat(standstill.isSaid() ? { ...details, stands: true } : details);
    signOfLife(context);
  };
  heartbeat();
  const timer = setInterval(heartbeat, intervalMilliseconds);
  try {
    const result = await work((progress) => {
      if (progress.phase === undefined && progress.step > (furthest?.step ?? 0)) {
        furthest = { step: progress.step, attempt };
        standstill.moved();
      }
      details = { round, ...progress, furthest };
    });
    standstill.moved();
    return result;
  } catch (error) {
    if (context.cancellationSignal.aborted) throw error;
    standstill.failed(error, attemptsWithoutProgress());
    await standstill.told();
    // The next attempt starts with these details: the last heartbeat may be a second old.
    heartbeat();
    if (attemptsWithoutProgress() >= maxAttemptsWithoutProgress) throw failureOf(error, { nonRetryable: true });
    if (furthest === undefined) throw error;
    throw failureOf(error, { nextRetryDelay: delayAfter(attemptsWithoutProgress()) });
  } finally {
    await standstill.told();
    clearInterval(timer);
  }
}

/** What earlier attempts have left. A reset of the activity counts attempts from one again, and may keep what they left. */
function furthestOf(heartbeatDetails: unknown, attempt: number): HeartbeatDetails['furthest'] {
  const furthest = parsed(heartbeatDetails)?.furthest;
  return furthest === undefined || furthest.attempt < attempt ? furthest : { ...furthest, attempt: 0 };
}

function parsed(heartbeatDetails: unknown): z.output<typeof earlierDetailsSchema> | undefined {
  try {
    return earlierDetailsSchema.safeParse(heartbeatDetails).data;
  } catch {
    // A payload that can't be read says so when it is looked at: the attempt starts from what is on the disk anyway.
    return undefined;
  }
}

/** The error as the activity's failure, changed. A delay that the error itself asks for stays. */
function failureOf(error: unknown, changes: { nonRetryable?: true; nextRetryDelay?: number }): ApplicationFailure {
  const failure = ApplicationFailure.fromError(toActivityFailure(error));
  return ApplicationFailure.fromError(failure, {
    nonRetryable: changes.nonRetryable ?? failure.nonRetryable ?? false,
    nextRetryDelay: failure.nextRetryDelay ?? changes.nextRetryDelay,
  });
}

/** The delay of a retry policy that counts only the attempts without progress, in milliseconds. */
function delayAfter(attempts: number): number {
  return Math.min(maximumDelay, 1000 * 2 ** attempts);
}
