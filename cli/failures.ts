import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  WorkflowNotFoundError,
} from '@temporalio/common';
import { CommanderError, InvalidArgumentError } from 'commander';
import { InputError } from '../src/core/input-error.ts';
import { ServerUnreachable } from '../workers/connection.ts';

/** What the command's exit status says. */
export const exitCodes = { ok: 0, failed: 1, wrongInput: 2, interrupted: 130 } as const;

/** The person left; nothing is wrong. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** The names of `InputError` and its kinds, as activities report them. */
const inputFailures = new Set(['InputError', 'OutOfBudget']);

/** The error that began a chain of Temporal failures; an error of ours keeps its own words. */
export function rootCause(error: unknown): unknown {
  let cause = error;
  while (isWrapper(cause) && cause.cause instanceof Error) cause = cause.cause;
  return cause;
}

function isWrapper(error: unknown): error is Error {
  return (
    error instanceof WorkflowFailedError || error instanceof ActivityFailure || error instanceof ChildWorkflowFailure
  );
}

/** How an error is told to a person, and the exit code: wrong input in one message, anything else with its stack. */
export function describeFailure(error: unknown): { message: string; exitCode: number } {
  // Thrown by a command, not while Commander read the command line.
  if (error instanceof InvalidArgumentError) return { message: error.message, exitCode: exitCodes.wrongInput };
  // Commander has told these itself; `--help` is one of them.
  if (error instanceof CommanderError) {
    return { message: '', exitCode: error.exitCode === 0 ? exitCodes.ok : exitCodes.wrongInput };
  }
  // A workflow refuses an update in words that are meant for the person.
  if (error instanceof WorkflowUpdateFailedError) {
    return { message: error.cause?.message ?? error.message, exitCode: exitCodes.wrongInput };
  }
  if (error instanceof WorkflowNotFoundError) {
    const message = `No workflow with the id ${error.workflowId} takes this: it is not there, or has ended. \`temporal workflow list\` shows those there are.`;
    return { message, exitCode: exitCodes.wrongInput };
  }
  if (error instanceof Interrupted) return { message: error.message, exitCode: exitCodes.interrupted };
  if (error instanceof ServerUnreachable) return { message: error.message, exitCode: exitCodes.failed };
  const cause = rootCause(error);
  const isInput =
    cause instanceof InputError || (cause instanceof ApplicationFailure && inputFailures.has(cause.type ?? ''));
  if (isInput) return { message: (cause as Error).message, exitCode: exitCodes.wrongInput };
  if (cause instanceof CancelledFailure)
    return { message: 'The workflow was cancelled.', exitCode: exitCodes.interrupted };
  if (cause instanceof ApplicationFailure)
    return { message: `${cause.type ?? 'Error'}: ${cause.message}`, exitCode: exitCodes.failed };
  return {
    message: cause instanceof Error ? withCauses(cause) : String(cause),
    exitCode: exitCodes.failed,
  };
}

function withCauses(error: Error): string {
  const stack = error.stack ?? error.message;
  return error.cause instanceof Error ? `${stack}\nCaused by: ${error.cause.message}` : stack;
}
