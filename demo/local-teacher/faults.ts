import { seededRandom } from '../../src/core/seeded-random.ts';

/** What the server does instead of answering. */
export type Fault =
  | { kind: 'status'; status: number; retryAfterSeconds?: number; retryAfterMilliseconds?: number; code?: string }
  | { kind: 'cut_connection' }
  /** 200, but not a chat completion. */
  | { kind: 'nonsense' }
  /** 200, but the JSON is cut off. */
  | { kind: 'malformed' }
  /** A chat completion whose message is a refusal; it is charged. */
  | { kind: 'refused' };

/** Shares of the requests, each 0 to 1. */
export interface FaultRates {
  rateLimited?: number;
  serverError?: number;
  cutConnection?: number;
  nonsense?: number;
  malformed?: number;
  refused?: number;
}

/** The faults of a local teacher, for tests of its clients. */
export interface Faults {
  /** The faults of the first requests, in order; `answer` is none. */
  script?: readonly (Fault | 'answer')[];
  /** For later requests. Which of them fail depends on the seed, the prompt, and how often it was sent before. */
  rates?: FaultRates;
  /** `Retry-After` of a drawn 429. */
  retryAfterSeconds?: number;
  /** Other keys are refused with 401. */
  requiredKey?: string;
  /** Waits this long before each answer. */
  latencyMilliseconds?: number;
  /** Prompt and answer together may have no more tokens; else 400 `context_length_exceeded`. */
  contextTokens?: number;
  batches?: BatchFaults;
}

/** The faults of batches. */
export interface BatchFaults {
  /** How long a batch takes. */
  seconds?: number;
  /** Share of a batch's requests that fail with 500. */
  failedRequests?: number;
  /** How the first batches end, in order; `expired` has done the first half of its requests. */
  script?: readonly ('completed' | 'expired' | 'failed')[];
}

/**
 * Draws the fault of a request. A refusal depends on the prompt alone, so a retry is refused too.
 *
 * @param request.number of the request, counted from 0
 * @param request.prompt a hash of the prompt
 * @param request.asked how often the same prompt was sent before
 */
export function faultOf(
  faults: Faults,
  seed: number | string,
  { number, prompt, asked }: { number: number; prompt: string; asked: number },
): Fault | undefined {
  const scripted = faults.script?.[number];
  if (scripted !== undefined) return scripted === 'answer' ? undefined : scripted;
  if (faults.rates === undefined) return undefined;
  const {
    rateLimited = 0,
    serverError = 0,
    cutConnection = 0,
    nonsense = 0,
    malformed = 0,
    refused = 0,
  } = faults.rates;
  const possible: [rate: number, fault: Fault][] = [
    [rateLimited, { kind: 'status', status: 429, retryAfterSeconds: faults.retryAfterSeconds ?? 1 }],
    [serverError, { kind: 'status', status: 500 }],
    [cutConnection, { kind: 'cut_connection' }],
    [nonsense, { kind: 'nonsense' }],
    [malformed, { kind: 'malformed' }],
  ];
  const random = seededRandom(String(seed)).fork('fault').fork(prompt);
  let left = random.fork(asked).uniform();
  for (const [rate, fault] of possible) {
    if (left < rate) return fault;
    left -= rate;
  }
  return random.fork('refused').uniform() < refused ? { kind: 'refused' } : undefined;
}
