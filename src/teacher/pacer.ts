import { setTimeout as wait } from 'node:timers/promises';

/** Spaces requests out so that a rate is never exceeded. */
export interface Pacer {
  /** Resolves when the next request may be sent. @throws the signal's reason when it is aborted first */
  turn(tokens: number, signal: AbortSignal): Promise<void>;
}

/** A rate; what is undefined has no limit. */
export interface Rate {
  requestsPerMinute?: number | undefined;
  tokensPerMinute?: number | undefined;
}

const burstMilliseconds = 250;

/**
 * A pacer by the generic cell rate algorithm (virtual scheduling, as in ITU-T I.371): each request takes the time that it
 * has at the given rate. Unused time is kept for a quarter of a second only, to make up for late timers.
 *
 * It starts as if a request had just been sent. So pacers that follow one another, perhaps in several processes, are
 * together as slow as one: a worker that replaces a killed one exceeds no limit.
 */
export function createPacer(
  { requestsPerMinute, tokensPerMinute }: Rate,
  clock: { now(): number; sleep(milliseconds: number, signal: AbortSignal): Promise<void> } = systemClock,
): Pacer {
  const timeOf = (tokens: number) =>
    Math.max(
      60_000 / (requestsPerMinute ?? Number.POSITIVE_INFINITY),
      (60_000 * tokens) / (tokensPerMinute ?? Number.POSITIVE_INFINITY),
    );
  let free: number | undefined;
  return {
    async turn(tokens, signal) {
      const time = timeOf(tokens);
      if (time === 0) return signal.throwIfAborted();
      const now = clock.now();
      free ??= now;
      // Requests get their turns in the order of the calls, so the turn is reserved before waiting.
      free = Math.max(free, now - burstMilliseconds) + time;
      if (free > now) await clock.sleep(free - now, signal);
      signal.throwIfAborted();
    },
  };
}

const systemClock = {
  now: () => performance.now(),
  sleep: (milliseconds: number, signal: AbortSignal) =>
    wait(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted()),
};
