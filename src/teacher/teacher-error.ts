import { withoutSecrets } from '../core/without-secrets.ts';
import type { TokenSum } from './prices.ts';

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
  /** True for an answer that no program can use, though its status is 200: a retry helps only if the server changes. */
  readonly unusable: boolean;
  /** What was charged nevertheless. */
  readonly charged: TokenSum | undefined;

  constructor(
    message: string,
    details: {
      retryable: boolean;
      retryAfterSeconds?: number | undefined;
      status?: number | undefined;
      code?: string | null | undefined;
      outcomeUnknown?: boolean;
      unusable?: boolean;
      charged?: TokenSum | undefined;
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
    this.unusable = details.unusable ?? false;
    this.charged = details.charged;
  }
}

/** A cause is stored with its error in histories, so one with a secret is left out. */
function causeWithoutSecrets(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const words = `${cause.message} ${cause.stack} ${cause.cause instanceof Error ? causes(cause) : ''}`;
  return withoutSecrets(words) === words ? cause : undefined;
}

// What vLLM, SGLang, Ollama, llama.cpp, Text Generation Inference and routers write instead of OpenAI's code.
const tooLongWords = [
  /context[ _](?:length|size|window)[^.]*exceed|exceed[^.]*context[ _](?:length|size|window)/i,
  /maximum (?:context|prompt) length is/i,
  /longer than the (?:maximum model length|model['’]?s context length)/i,
  /prompt is too long|too long to fit into the model|input is too long/i,
  /inputs?[`'"]? tokens \+ [`'"]?max_new_tokens[`'"]? must be/i,
  /input token count[^.]*exceeds|input tokens exceed/i,
];

/** Whether prompt and longest answer exceed the model's context. */
export function isTooLong(error: unknown): boolean {
  if (!(error instanceof TeacherError) || error.status === 429) return false;
  if (error.code === 'context_length_exceeded') return true;
  return error.status !== undefined && tooLongWords.some((words) => words.test(error.message));
}

/** Whether the teacher refuses the content of this one request. */
export function isRefusalOfContent(error: unknown): error is TeacherError {
  return error instanceof TeacherError && isContentFilter(error.code);
}

export function isContentFilter(code: unknown): boolean {
  return /^(?:content_filter|content_policy_violation|ResponsibleAIPolicyViolation|data_inspection_failed)$/.test(
    String(code),
  );
}

/** The messages of an error and of its causes, on one line. */
export function causes(error: Error): string {
  const inner = error.cause instanceof Error ? ` (${causes(error.cause)})` : '';
  const code = (error as NodeJS.ErrnoException).code;
  // Those of OpenSSL end with a line break.
  const message = error.message.replace(/\s+/g, ' ').trim();
  return `${message || code || error.name}${code && message && !message.includes(code) ? ` ${code}` : ''}${inner}`;
}
