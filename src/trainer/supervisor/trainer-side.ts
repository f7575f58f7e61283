/**
 * The trainer's half of the protocol, for trainers written in TypeScript.
 */
import { readFileSync, writeSync } from 'node:fs';
import { parseJson } from '../../core/read-json.ts';
import { type JobSpec, jobSpecSchema, type TrainerMessage } from '../protocol.ts';

/**
 * Reads the job file named on the command line.
 *
 * @throws InputError naming the field that is wrong
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
