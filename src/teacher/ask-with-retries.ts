import { setTimeout as wait } from 'node:timers/promises';
import limitConcurrency from 'p-limit';
import { TeacherError } from './teacher-error.ts';

/**
 * Runs a call to the teacher again while it fails in a way that may pass, after the time that the teacher asked
 * for, or 1, 2, 4 … up to 60 seconds. For programs without Temporal, whose retry policy does the same.
 *
 * @param options.attempts calls in all
 * @throws the last error; at once for one that asking again can't help, or when the signal is aborted.
 *
 * @example
 * const answer = await askWithRetries(() => askTeacher(client, messages, settings), { attempts: 6 });
 */
export async function askWithRetries<T>(
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

/**
 * Does the work for each item, so many at once. After a failure no more are begun; those under way come to their end
 * first, for what they were answered is paid for and kept.
 *
 * @throws what failed first
 */
export async function askAll<Item>(
  items: readonly Item[],
  concurrency: number,
  work: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  const limit = limitConcurrency(concurrency);
  const failures: unknown[] = [];
  const workUnlessFailed = async (item: Item, index: number) => {
    if (failures.length > 0) return;
    try {
      await work(item, index);
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(items.map((item, index) => limit(workUnlessFailed, item, index)));
  if (failures.length > 0) throw failures[0];
}
