import { APIConnectionError, APIError } from 'openai';
import { withoutSecrets } from '../core/without-secrets.ts';

/** The teacher did not answer. Says whether a retry can help, and when. */
export class TeacherError extends Error {
  readonly retryable: boolean;
  /** The time that the teacher asks to wait before a retry. */
  readonly retryAfterSeconds: number | undefined;
  /** The HTTP status, when there was an answer at all. */
  readonly status: number | undefined;
  /** OpenAI's error code, such as `context_length_exceeded`. */
  readonly code: string | undefined;
  /** True when the teacher may have answered, and charged for it, although nothing arrived. */
  readonly outcomeUnknown: boolean;

  constructor(
    message: string,
    details: {
      retryable: boolean;
      retryAfterSeconds?: number | undefined;
      status?: number | undefined;
      code?: string | null | undefined;
      outcomeUnknown?: boolean;
      cause?: unknown;
    },
  ) {
    super(withoutSecrets(message), { cause: causeWithoutSecrets(details.cause) });
    this.name = 'TeacherError';
    this.retryable = details.retryable;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.status = details.status;
    this.code = details.code ?? undefined;
    this.outcomeUnknown = details.outcomeUnknown ?? false;
  }
}

/** A cause is stored with its error in histories, so one with a secret is left out. */
function causeWithoutSecrets(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const words = `${cause.message} ${cause.stack} ${cause.cause instanceof Error ? causes(cause) : ''}`;
  return withoutSecrets(words) === words ? cause : undefined;
}

/** Makes a `TeacherError` of any error of the `openai` client. */
export function teacherErrorFrom(error: unknown): TeacherError {
  if (error instanceof TeacherError) return error;
  if (error instanceof APIConnectionError || !(error instanceof APIError)) {
    const reason = error instanceof Error ? causes(error) : String(error);
    return new TeacherError(`The teacher could not be reached: ${reason}`, {
      retryable: true,
      // Without a connection nothing was charged.
      outcomeUnknown: !/ECONNREFUSED|ENOTFOUND|EAI_AGAIN/.test(reason),
      cause: error,
    });
  }
  const status: number | undefined = error.status;
  return new TeacherError(describe(status, error), {
    retryable: isRetryable(status, error.code),
    retryAfterSeconds: retryAfter(error.headers),
    status,
    code: error.code,
    cause: error,
  });
}

/** Whether prompt and longest answer exceed the model's context. */
export function isTooLong(error: unknown): boolean {
  return error instanceof TeacherError && error.code === 'context_length_exceeded';
}

/** Whether the teacher refuses the content of this one request. */
export function isRefusalOfContent(error: unknown): error is TeacherError {
  return error instanceof TeacherError && /^content_(?:filter|policy_violation)$/.test(error.code ?? '');
}

// An account without money is reported as 429 too, and waiting does not help.
function isRetryable(status: number | undefined, code: string | null | undefined): boolean {
  if (code === 'insufficient_quota') return false;
  return status === undefined || status === 408 || status === 409 || status === 429 || status >= 500;
}

function describe(status: number | undefined, error: APIError): string {
  if (status === 401)
    return `The teacher refuses the key: ${error.message}. Check the key in the environment, or in teacher.apiKeyFile`;
  if (status === 403) return `The teacher denies access to this key: ${error.message}`;
  if (status === 404)
    return `The teacher has no such model or address: ${error.message}. Check teacher.model and teacher.baseUrl`;
  if (status === 429) return `The teacher's rate limit is reached: ${error.message}`;
  return `The teacher failed: ${error.message}`;
}

/**
 * Reads `retry-after-ms` (milliseconds, OpenAI's own) or `Retry-After` (seconds, or a date; RFC 9110).
 *
 * @returns seconds, or undefined without a valid header
 */
export function retryAfter(headers: Headers | undefined, now: () => number = Date.now): number | undefined {
  const milliseconds = headers?.get('retry-after-ms');
  if (milliseconds) return secondsOrUndefined(Number(milliseconds) / 1000);
  const value = headers?.get('retry-after');
  if (!value) return undefined;
  const seconds = Number(value);
  if (!Number.isNaN(seconds)) return secondsOrUndefined(seconds);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now()) / 1000);
}

/**
 * Reads OpenAI's `x-ratelimit-…` headers.
 *
 * @returns seconds until a used-up limit is reset; undefined when neither limit is used up
 */
export function limitReset(headers: Headers): number | undefined {
  const waits = ['requests', 'tokens'].flatMap((name) => {
    const remaining = headers.get(`x-ratelimit-remaining-${name}`);
    const reset = headers.get(`x-ratelimit-reset-${name}`);
    const seconds = remaining !== null && Number(remaining) <= 0 && reset ? secondsOf(reset) : undefined;
    return seconds === undefined ? [] : [seconds];
  });
  return waits.length === 0 ? undefined : Math.max(...waits);
}

// Such as 1s, 6m0s, 20ms or 1h2m3.5s.
function secondsOf(duration: string): number | undefined {
  const units: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600 };
  const parts = [...duration.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0) return undefined;
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (units[unit as string] as number), 0);
}

function secondsOrUndefined(seconds: number): number | undefined {
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

function causes(error: Error): string {
  const inner = error.cause instanceof Error ? ` (${causes(error.cause)})` : '';
  const code = (error as NodeJS.ErrnoException).code;
  return `${error.message || code || error.name}${code && error.message && !error.message.includes(code) ? ` ${code}` : ''}${inner}`;
}
