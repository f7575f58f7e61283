/**
 * The trainer's half of the protocol, for trainers written in TypeScript.
 */
import { readFileSync, writeSync } from 'node:fs';
import { parseJson } from '../core/read-json.ts';
import { type JobSpec, jobSpecSchema, type Progress, type TrainerMessage } from './protocol.ts';

/** How a job reports to whoever runs it. */
export interface JobReporter {
  progress(progress: Progress): void;
  checkpoint(checkpoint: { step: number; uri: string }): void;
  /** A line for the log. */
  note(message: string): void;
  /** Aborted when the job should stop. */
  signal: AbortSignal;
}

const PROGRESS_INTERVAL_MILLISECONDS = 200;

/** Reports to the parent process: notes on standard error, the rest as messages. */
export function protocolReporter(signal: AbortSignal): JobReporter {
  let sent = 0;
  return {
    signal,
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
