/**
 * The trainer's half of the protocol, for trainers written in TypeScript.
 */
import { existsSync, readFileSync, writeSync } from 'node:fs';
import { parseJson } from '../core/read-json.ts';
import { type JobFence, type JobSpec, jobSpecSchema, type Progress, type TrainerMessage } from './protocol.ts';

/** How a job reports to whoever runs it. */
export interface JobReporter {
  progress(progress: Progress): void;
  checkpoint(checkpoint: { step: number; uri: string }): void;
  /** A line for the log. */
  note(message: string): void;
  /** Called before each write. @throws Error when another attempt, or another owner of the run, has taken over */
  requireFence(): void;
  /** Aborted when the job should stop. */
  signal: AbortSignal;
}

const PROGRESS_INTERVAL_MILLISECONDS = 200;

/** Reports to the parent process: notes on standard error, the rest as messages. */
export function protocolReporter(signal: AbortSignal, fence?: JobFence): JobReporter {
  let sent = 0;
  return {
    signal,
    requireFence: () => requireFence(fence),
    note: (message) => process.stderr.write(`${message}\n`),
    checkpoint: (checkpoint) => sendMessage({ type: 'checkpoint', ...checkpoint }),
    progress: (progress) => {
      const now = performance.now();
      if (progress.step < progress.steps && now - sent < PROGRESS_INTERVAL_MILLISECONDS) return;
      sent = now;
      sendMessage({ type: 'progress', ...progress });
    },
  };
}

function requireFence(fence: JobFence | undefined): void {
  if (fence === undefined) return;
  const { started, attempt, lost } = fence;
  if (lost !== undefined && existsSync(lost))
    throw new Error(`the run has another owner (${lost}): nothing is written`);
  if (attemptIn(started) !== attempt) throw new Error(`another attempt has started (${started}): nothing is written`);
}

function attemptIn(file: string): unknown {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { attempt?: unknown } | null)?.attempt;
  } catch {
    // Gone: the step is finished.
    return undefined;
  }
}

/**
 * Reads the job file named on the command line.
 *
 * @throws InputError naming the wrong field
 */
export function readJobSpec(file: string): JobSpec {
  return parseJson(readFileSync(file, 'utf8'), file, jobSpecSchema);
}

/**
 * Sends one message. Written synchronously: a training loop that blocks the event loop would otherwise hold
 * its progress back until it ends.
 */
export function sendMessage(message: TrainerMessage): void {
  let rest = Buffer.from(`${JSON.stringify(message)}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

/** Ends this process when its parent is gone (standard input closes). Call once at start. */
export function exitWithParent(): void {
  process.stdin.on('end', () => process.exit(1));
  process.stdin.on('error', () => process.exit(1));
  process.stdin.resume();
  // The pipe alone must not keep a finished trainer alive.
  (process.stdin as typeof process.stdin & { unref?: () => void }).unref?.();
}
