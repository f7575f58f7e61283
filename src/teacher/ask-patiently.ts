import { setTimeout as wait } from 'node:timers/promises';
import { TeacherError } from './teacher-error.ts';

/**
 * Runs a call to the teacher again while it fails in a way that may pass, after the time that the teacher asked
 * for, or 1, 2, 4 … up to 60 seconds. For programs without Temporal, whose retry policy does the same.
 *
 * @param options.attempts calls in all
 * @throws the last error; at once for one that asking again can't help, or when the signal is aborted.
 *
 * @example
 * const answer = await askPatiently(() => askTeacher(client, messages, settings), { attempts: 6 });
 */
export async function askPatiently<T>(
  ask: () => Promise<T>,
  options: {
    attempts: number;
    signal?: AbortSignal | undefined;
    sleep?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  },
): Promise<T> {
  const { attempts, signal, sleep = sleepUnlessAborted } = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof TeacherError) || !error.retryable || attempt >= attempts) throw error;
      const seconds = error.retryAfterSeconds ?? Math.min(60, 2 ** (attempt - 1));
      await sleep(seconds * 1000, signal);
    }
  }
}

async function sleepUnlessAborted(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await wait(milliseconds, undefined, { signal });
}
