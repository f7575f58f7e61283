import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  WorkflowNotFoundError,
} from '@temporalio/common';
import { CommanderError, InvalidArgumentError } from 'commander';
import { ProcessEnded } from '../demo/command/child-process.ts';
import { InputError } from '../src/core/input-error.ts';
import { valueIn } from '../src/core/records.ts';
import { StorageError } from '../src/core/write-file.ts';
import { TeacherError } from '../src/teacher/teacher-error.ts';
import { TrackerError } from '../src/tracking/tracker.ts';
import { TrainerError } from '../src/trainer/supervisor/trainer-error.ts';
import { ServerUnreachable } from '../workers/connection.ts';
import { WorkerSilent } from './temporal-client.ts';

/** The command's exit codes. */
export const exitCodes = { ok: 0, failed: 1, wrongInput: 2, interrupted: 130 } as const;

/** The user left; nothing is wrong. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/**
 * Work that a person may stop.
 *
 * @param left what becomes of it then, in words
 * @throws Interrupted with these words when the signal has stopped it; else what the work throws
 */
export async function interruptible<R>(signal: AbortSignal, left: string, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    if (!signal.aborted || error instanceof Interrupted) throw error;
    throw new Interrupted(left, { cause: error });
  }
}

/** The names of `InputError` and its kinds, as activities report them. */
const inputFailures = new Set(['InputError', 'OutOfBudget', 'NotOwner']);

/** The first cause in a chain of Temporal failures; an error of ours stays as it is. */
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

/** The message and the exit code for an error: wrong input as one message, anything else with its stack. */
export function describeFailure(error: unknown): { message: string; exitCode: number } {
  // Thrown by a command, not while Commander read the command line.
  if (error instanceof InvalidArgumentError) return { message: error.message, exitCode: exitCodes.wrongInput };
  // Commander has printed these itself; `--help` is one of them.
  if (error instanceof CommanderError) {
    return { message: '', exitCode: error.exitCode === 0 ? exitCodes.ok : exitCodes.wrongInput };
  }
  // The message of a rejected update is written for the user.
  if (error instanceof WorkflowUpdateFailedError) {
    return { message: error.cause?.message ?? error.message, exitCode: exitCodes.wrongInput };
  }
  if (error instanceof WorkflowNotFoundError) {
    const message = `No running workflow has the id ${error.workflowId}. \`dataengine temporal workflow list\` lists the workflows.`;
    return { message, exitCode: exitCodes.wrongInput };
  }
  if (error instanceof Interrupted) return { message: error.message, exitCode: exitCodes.interrupted };
  if (error instanceof ServerUnreachable || error instanceof WorkerSilent || error instanceof ProcessEnded)
    return { message: error.message, exitCode: exitCodes.failed };
  const cause = rootCause(error);
  const isInput =
    cause instanceof InputError || (cause instanceof ApplicationFailure && inputFailures.has(cause.type ?? ''));
  const isTrainersInput = cause instanceof TrainerError && cause.kind === 'input';
  if (isInput || isTrainersInput) return { message: (cause as Error).message, exitCode: exitCodes.wrongInput };
  if (cause instanceof Error && cause.name === 'StepTakenOver') {
    return { message: `${cause.message}. Let one of the two work at a time`, exitCode: exitCodes.failed };
  }
  // A full disk, a folder that may not be written.
  if (cause instanceof StorageError) return { message: cause.message, exitCode: exitCodes.failed };
  if (cause instanceof TeacherError || cause instanceof TrackerError)
    return { message: cause.message, exitCode: exitCodes.failed };
  if (cause instanceof CancelledFailure)
    return { message: 'The workflow was cancelled.', exitCode: exitCodes.interrupted };
  if (cause instanceof ApplicationFailure)
    return { message: `${cause.type ?? 'Error'}: ${cause.message}`, exitCode: exitCodes.failed };
  const refused = refusalOfSystem(cause);
  if (refused !== undefined) return { message: refused, exitCode: exitCodes.failed };
  return {
    message: cause instanceof Error ? withCauses(cause) : String(cause),
    exitCode: exitCodes.failed,
  };
}

/** What the system refuses because of how this machine is, and not because of this program. */
const refusals: Readonly<Record<string, string>> = {
  EACCES: 'may not be used. Check the permissions',
  EPERM: 'may not be used. Check the permissions',
  EROFS: 'the disk is read-only. Choose another folder',
  ENOSPC: 'the disk is full. Free some space and try again',
  EDQUOT: 'the disk quota is used up. Free some space and try again',
  ENOTDIR: 'a file is where a folder should be. Choose another folder',
  ENAMETOOLONG: 'its name is too long. Choose a shorter one',
  EMFILE: 'this process may open no more files. Raise the limit (`ulimit -n`)',
  ENFILE: 'this machine may open no more files. Raise the limit, or close programs',
};

function refusalOfSystem(error: unknown): string | undefined {
  const { code = '', path } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  const refusal = valueIn(refusals, code);
  if (refusal === undefined) return undefined;
  // A write to an open file names none.
  if (path !== undefined) return `${path}: ${refusal}`;
  return isOfDisk(code) ? refusal.charAt(0).toUpperCase() + refusal.slice(1) : undefined;
}

function isOfDisk(code: string): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EROFS';
}

function withCauses(error: Error): string {
  const stack = error.stack ?? error.message;
  return error.cause instanceof Error ? `${stack}\nCaused by: ${error.cause.message}` : stack;
}
