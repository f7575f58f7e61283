import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { InputError } from '../store/input-error.ts';

/** What the command's exit status says. */
export const exitCodes = { ok: 0, failed: 1, wrongInput: 2, interrupted: 130 } as const;

/** The error that began a chain of Temporal failures. */
export function rootCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof Error && cause.cause instanceof Error && !(cause instanceof ApplicationFailure))
    cause = cause.cause;
  return cause;
}

/** How an error is told to a person, and the exit code: wrong input in one message, anything else with its stack. */
export function describeFailure(error: unknown): { message: string; exitCode: number } {
  const cause = rootCause(error);
  const isInput = cause instanceof InputError || (cause instanceof ApplicationFailure && cause.type === 'InputError');
  if (isInput) return { message: (cause as Error).message, exitCode: exitCodes.wrongInput };
  if (cause instanceof CancelledFailure)
    return { message: 'The workflow was cancelled.', exitCode: exitCodes.interrupted };
  if (cause instanceof ApplicationFailure)
    return { message: `${cause.type ?? 'Error'}: ${cause.message}`, exitCode: exitCodes.failed };
  return {
    message: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
    exitCode: exitCodes.failed,
  };
}
