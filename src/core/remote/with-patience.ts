import { setTimeout as sleep } from 'node:timers/promises';
import { type RequestPlace, StoreError, storeErrorFrom } from './store-error.ts';

/** Seconds between tries: a server that is started anew is back within them. What takes longer is left to the caller. */
const defaultWaits = [0.2, 0.5, 1, 2, 4, 8, 15, 15];

/** A refusal that asking again does not change, and that the caller knows what to do about. */
function isFinal(cause: unknown): boolean {
  const status = (cause as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  // 408 and 429: too slow, too many. 400 is also what a server says of a request that was cut off on the way.
  return status !== undefined && status > 400 && status < 500 && status !== 408 && status !== 429;
}

/**
 * Does a request again while the store is out of reach or in trouble, on top of the SDK's own quick tries.
 *
 * @throws InputError at once for what a person must mend, StoreError when it does not pass, the signal's reason
 */
export async function withPatience<R>(
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
