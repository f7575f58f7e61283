import { setTimeout as sleep } from 'node:timers/promises';
import { type RequestPlace, StoreError, storeErrorFrom } from './store-error.ts';

/** Seconds between attempts: a server that restarts is back within them. What takes longer is left to the caller. */
const defaultWaits = [0.2, 0.5, 1, 2, 4, 8, 15, 15];

/** A refusal that another attempt does not change, and that the caller handles. */
function isFinal(cause: unknown): boolean {
  const status = (cause as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  // 408 and 429: too slow, too many. 400 is also how a server answers a request that was cut off on the way.
  return status !== undefined && status > 400 && status < 500 && status !== 408 && status !== 429;
}

/**
 * Retries a request while the store can't be reached or has trouble, in addition to the SDK's own quick retries.
 *
 * @param options.waits seconds before each retry
 * @throws InputError at once for what a person must repair, StoreError when all attempts fail, the signal's reason
 */
export async function withRetries<R>(
  place: RequestPlace,
  request: () => Promise<R>,
  { signal, waits = defaultWaits }: { signal?: AbortSignal | undefined; waits?: readonly number[] } = {},
): Promise<R> {
  for (let tries = 0; ; tries += 1) {
    signal?.throwIfAborted();
    try {
      return await request();
    } catch (cause) {
      signal?.throwIfAborted();
      const error = storeErrorFrom(cause, place);
      const wait = waits[tries];
      if (!(error instanceof StoreError) || wait === undefined || isFinal(cause)) throw error;
      await sleep(wait * 1000, undefined, { signal }).catch(() => signal?.throwIfAborted());
    }
  }
}
