import { setTimeout as wait } from 'node:timers/promises';
import limitConcurrency from 'p-limit';
import { TeacherError } from './teacher-error.ts';

/** A call that failed, and when it is made again. */
export interface Retry {
  problem: string;
  /** Until the next attempt. */
  seconds: number;
  /** The number of the next attempt. */
  attempt: number;
}

export type OnRetry = (retry: Retry) => void;

/**
 * Retries a call to the teacher while its failure may be temporary, after the time that the teacher states, or after
 * 1, 2, 4 … up to 60 seconds; also where it states 0, which would use up all tries at once. For programs without Temporal,
 * whose retry policy does the same.
 *
 * @param options.attempts calls in all
 * @param options.onRetry called before each wait
 * @throws the last error; at once where a retry can't help, or when the signal is aborted
 *
 * @example
 * const answer = await askWithRetries(() => askTeacher(client, messages, settings), { attempts: 6 });
 */
export async function askWithRetries<T>(
  ask: () => Promise<T>,
  options: {
    attempts: number;
    signal?: AbortSignal | undefined;
    onRetry?: OnRetry | undefined;
    sleep?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  },
): Promise<T> {
  const { attempts, signal, onRetry, sleep = sleepUnlessAborted } = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof TeacherError) || !error.retryable || attempt >= attempts) throw error;
      const seconds = error.retryAfterSeconds || Math.min(60, 2 ** (attempt - 1));
      onRetry?.({ problem: error.message, seconds, attempt: attempt + 1 });
      await sleep(seconds * 1000, signal);
    }
  }
}

async function sleepUnlessAborted(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await wait(milliseconds, undefined, { signal });
}

/**
 * Does the work for each item, so many at a time. After a failure it starts no more, and waits for those that are
 * running: their answers are paid for and kept.
 *
 * @throws the first error
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
