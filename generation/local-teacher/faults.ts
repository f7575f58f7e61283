import { seededRandom } from '../../random/seeded-random.ts';

/** What a server does instead of answering. */
export type Fault =
  | { kind: 'status'; status: number; retryAfterSeconds?: number; retryAfterMilliseconds?: number; code?: string }
  | { kind: 'cut_connection' }
  /** 200, but not a chat completion. */
  | { kind: 'nonsense' };

/** The faults of a local teacher, for tests of those who ask it. */
export interface Faults {
  /** What happens to the first requests, in turn; `answer` answers. */
  script?: readonly (Fault | 'answer')[];
  /** Shares of the requests after those, each 0 to 1. Which ones depends on the seed and the request's number. */
  rates?: { rateLimited?: number; serverError?: number; cutConnection?: number; nonsense?: number };
  /** What `Retry-After` says with a drawn 429. */
  retryAfterSeconds?: number;
  /** Other keys are refused with 401. */
  requiredKey?: string;
  /** Waits this long before each answer. */
  latencyMilliseconds?: number;
}

/**
 * What to do with a request.
 *
 * @param number the request's, counted from 0
 */
export function faultOf(faults: Faults, seed: number | string, number: number): Fault | undefined {
  const scripted = faults.script?.[number];
  if (scripted !== undefined) return scripted === 'answer' ? undefined : scripted;
  const { rateLimited = 0, serverError = 0, cutConnection = 0, nonsense = 0 } = faults.rates ?? {};
  const possible: [rate: number, fault: Fault][] = [
    [rateLimited, { kind: 'status', status: 429, retryAfterSeconds: faults.retryAfterSeconds ?? 1 }],
    [serverError, { kind: 'status', status: 500 }],
    [cutConnection, { kind: 'cut_connection' }],
    [nonsense, { kind: 'nonsense' }],
  ];
  let left = seededRandom(String(seed)).fork('fault').fork(number).uniform();
  for (const [rate, fault] of possible) {
    if (left < rate) return fault;
    left -= rate;
  }
  return undefined;
}
