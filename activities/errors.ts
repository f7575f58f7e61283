/**
 * Which errors Temporal retries, and when.
 */
import { ApplicationFailure } from '@temporalio/common';
import { InputError } from '../src/core/input-error.ts';
import { NotificationError } from '../src/round/notify.ts';
import { TeacherError } from '../src/teacher/teacher-error.ts';
import { TrainerError } from '../src/trainer/supervisor/trainer-error.ts';

/** The error as Temporal should see it: what a person must repair is never retried. */
export function toActivityFailure(error: unknown): unknown {
  if (error instanceof InputError) return ApplicationFailure.fromError(error, { type: error.name, nonRetryable: true });
  if (error instanceof TrainerError) {
    const type = error.kind === 'input' ? 'InputError' : `Trainer:${error.kind}`;
    return ApplicationFailure.fromError(error, { type, nonRetryable: error.kind === 'input' || !error.retryable });
  }
  if (error instanceof TeacherError || error instanceof NotificationError) {
    const nextRetryDelay = error.retryAfterSeconds === undefined ? undefined : error.retryAfterSeconds * 1000;
    return ApplicationFailure.fromError(error, { type: error.name, nonRetryable: !error.retryable, nextRetryDelay });
  }
  return error;
}

/** Thrown when the worker stops or the activity is paused: this attempt ends, and a later one resumes the work. */
export function interrupted(reason: string): ApplicationFailure {
  return ApplicationFailure.retryable(`stopped with its work kept: ${reason}`, 'Interrupted');
}
