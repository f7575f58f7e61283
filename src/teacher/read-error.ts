/**
 * Reads what a service, or the client of its protocol, says went wrong. Apart from `TeacherError` itself, so that whoever only
 * handles one need not load the client.
 */
import { APIConnectionError, APIError } from 'openai';
import { z } from 'zod';
import { SpeaksTls } from './chat-client.ts';
import { causes, isContentFilter, TeacherError } from './teacher-error.ts';
import { firstWords, isWebPage, wordsOfPage } from './web-page.ts';

// The codes of Node and OpenSSL for certificates and protocols.
const noTrustWords =
  /CERT_|_CERT|UNABLE_TO_GET_|UNABLE_TO_DECRYPT|UNABLE_TO_VERIFY|ERR_TLS_|ERR_SSL_|wrong version number|EPROTO|HOSTNAME_MISMATCH/;
// The codes of Node's parser: what answers speaks another protocol.
const noHttpWords = /HPE_[A-Z]|Parse Error: /;
const tooLargeWords = /has more than \d+ bytes|ERR_BUFFER_TOO_LARGE|Cannot create a Buffer larger than/;

/** Makes a `TeacherError` of any error of the `openai` client. */
export function teacherErrorFrom(error: unknown): TeacherError {
  if (error instanceof TeacherError) return error;
  if (error instanceof SyntaxError) {
    return new TeacherError(`The teacher's answer is not whole JSON: ${error.message}`, {
      retryable: true,
      outcomeUnknown: true,
      unusable: true,
      cause: error,
    });
  }
  if (error instanceof APIConnectionError || !(error instanceof APIError)) {
    const reason = error instanceof Error ? causes(error) : String(error);
    const isUntrusted = noTrustWords.test(reason);
    const isTooLarge = tooLargeWords.test(reason);
    const isTls = isSpeaksTls(error);
    const isOtherServer = noHttpWords.test(reason);
    const remedy = isUntrusted
      ? '. Check teacher.baseUrl and the certificate (NODE_EXTRA_CA_CERTS for one of your own)'
      : isTls
        ? '. Set teacher.baseUrl to the address with https:'
        : isOtherServer
          ? '. What answers there is no HTTP server: check the port in teacher.baseUrl'
          : '';
    const what = isTooLarge ? "The teacher's answer is too large" : 'The teacher could not be reached';
    return new TeacherError(`${what}: ${reason}${remedy}`, {
      retryable: true,
      // Without a connection nothing was charged.
      outcomeUnknown: !isUntrusted && !isTls && !isOtherServer && !/ECONNREFUSED|ENOTFOUND|EAI_AGAIN/.test(reason),
      // They stay as they are until somebody changes them.
      unusable: isUntrusted || isTls || isOtherServer || isTooLarge,
      cause: error,
    });
  }
  const status: number | undefined = error.status;
  const code = codeOf({ code: error.code, type: error.type });
  const parameter = error.param ?? undefined;
  const location = error.headers?.get('location') ?? undefined;
  return new TeacherError(describe(wordsOfError(error.message), { status, code, parameter, location }), {
    retryable: isRetryable(status, code),
    retryAfterSeconds: retryAfter(error.headers),
    status,
    code,
    cause: error,
  });
}

/** The client wraps the errors of its connection. */
function isSpeaksTls(error: unknown): boolean {
  return error instanceof Error && (error instanceof SpeaksTls || isSpeaksTls(error.cause));
}

const errorCharacters = 500;

/** Proxies write whole pages, which would be in every history and log. */
function wordsOfError(message: string): string {
  return firstWords(isWebPage(message) ? wordsOfPage(message) : message, errorCharacters);
}

const errorValue = z.looseObject({
  message: z.string().optional(),
  code: z.union([z.string(), z.number()]).nullish().catch(undefined),
  type: z.string().nullish().catch(undefined),
});
const bodyWithError = z.looseObject({
  error: z.union([
    z
      .string()
      .min(1)
      .transform((message) => ({ message })),
    errorValue,
  ]),
});

/**
 * Reads the error in a body whose status is 200, as routers to other providers and older vLLM servers send it.
 *
 * @returns undefined when there is none
 */
export function errorInBody(body: unknown): TeacherError | undefined {
  const flat = z.looseObject({ object: z.literal('error'), message: z.string() }).safeParse(body);
  const parsed = bodyWithError.safeParse(flat.success ? { error: flat.data } : body);
  if (!parsed.success) return undefined;
  const error = errorValue.parse(parsed.data.error);
  const status = Number(error.code) >= 400 && Number(error.code) < 600 ? Number(error.code) : undefined;
  const code = codeOf(error);
  const words = wordsOfError(error.message ?? JSON.stringify(error));
  const isPassing = status === undefined ? !staysWrong(`${code ?? ''} ${words}`) : isRetryable(status, code);
  return new TeacherError(describe(words, { status, code }), {
    retryable: isPassing,
    unusable: status === undefined,
    status,
    code,
  });
}

/** The error of a response in a batch, whose status is a field beside its body. */
export function errorOfStatus(status: number, body: unknown): TeacherError {
  const { message = `HTTP ${status}`, code } = errorInBody(body) ?? {};
  return new TeacherError(message, { retryable: isRetryable(status, code), status, code });
}

// Without a status, only the words say whether waiting can help.
function staysWrong(words: string): boolean {
  return /insufficient[ _](?:quota|credit|balance|funds)|out of credits?|billing|invalid[ _]api[ _]key|unauthori[sz]ed|authentication|permission|not[ _]found|does not exist|invalid[ _]request|unsupported/i.test(
    words,
  );
}

/** A code in words: servers other than OpenAI's repeat the status there, and name the kind of the error as its type. */
function codeOf({ code, type }: { code?: unknown; type?: unknown }): string | undefined {
  const words = [code, type].filter(
    (value): value is string => typeof value === 'string' && value !== '' && !/^\d+$/.test(value),
  );
  return words.find(isUsedUp) ?? words.find(isContentFilter) ?? words[0];
}

function isUsedUp(code: unknown): boolean {
  return /^(?:insufficient_quota|insufficient_balance|billing_hard_limit_reached|billing_not_active)$/.test(
    String(code),
  );
}

// An account without money is reported as 429 too, and waiting does not help.
function isRetryable(status: number | undefined, code: string | undefined): boolean {
  if (isUsedUp(code)) return false;
  return status === undefined || status === 408 || status === 409 || status === 429 || status >= 500;
}

function describe(
  words: string,
  {
    status,
    code,
    parameter,
    location,
  }: {
    status: number | undefined;
    code: string | undefined;
    parameter?: string | undefined;
    location?: string | undefined;
  },
): string {
  if (isUsedUp(code) || status === 402)
    return `The teacher's account is used up: ${words}. Add credit or raise its limit; waiting does not help`;
  if (isContentFilter(code)) return `The provider's content filter refuses the request: ${words}`;
  if (status !== undefined && status >= 300 && status < 400)
    return `The teacher's address redirects to ${location ?? 'another one'} (status ${status}). Set teacher.baseUrl to the new address, without /chat/completions`;
  if (status === 401)
    return `The teacher refuses the key: ${words}. Check the key in the environment, or in teacher.apiKeyFile`;
  if (status === 403) return `The teacher denies access to this key: ${words}`;
  if (status === 404)
    return `The teacher has no such model or address: ${words}. Check teacher.model and teacher.baseUrl`;
  if (status === 429) return `The teacher's rate limit is reached: ${words}`;
  return `The teacher failed: ${words}${remedyFor(parameter)}`;
}

function remedyFor(parameter: string | undefined): string {
  if (parameter === 'max_tokens' || parameter === 'max_completion_tokens')
    return '. Set teacher.tokenLimitParameter to the other name';
  if (parameter === 'temperature' || parameter === 'top_p') return '. Set teacher.samplingParameters to omit';
  if (parameter === 'seed') return '. Set teacher.extraBody to { seed: null }';
  return '';
}

/**
 * Reads `retry-after-ms` (milliseconds, OpenAI's own) or `Retry-After` (seconds, or a date; RFC 9110).
 *
 * @returns seconds, or undefined without a valid header
 */
export function retryAfter(headers: Headers | undefined, now?: () => number): number | undefined {
  return atMostADay(statedWait(headers, now));
}

/** No limit lasts longer, and a timer of many days would fire at once. */
function atMostADay(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.min(24 * 60 * 60, seconds);
}

function statedWait(headers: Headers | undefined, now: () => number = Date.now): number | undefined {
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
  return waits.length === 0 ? undefined : atMostADay(Math.max(...waits));
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
