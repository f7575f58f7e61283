import type { OpenAI } from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import { z } from 'zod';
import { hashBytes } from '../core/hash.ts';
import type { ChatMessage } from './prompt-template.ts';
import { limitReset, TeacherError, teacherErrorFrom } from './teacher-error.ts';

/** A message with text and images, for teachers with vision. */
export type TeacherMessage = ChatMessage | { role: 'user'; content: MessagePart[] };
export type MessagePart =
  | { type: 'text'; text: string }
  | { type: 'image_url'; image_url: { url: string; detail?: 'low' | 'high' | 'auto' } };

/** Tokens as counted by the teacher. */
export interface TokenUsage {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
}

/** An answer, with what it has cost and where it comes from. */
export interface TeacherAnswer {
  text: string;
  usage: TokenUsage;
  /** The model that answered, by the name in its response. */
  model: string;
  /** SHA-256 of the request, with all settings that affect the answer. */
  requestHash: string;
  /** Why the teacher refused to answer. */
  refusal?: string | undefined;
  /** Set when a limit is used up: seconds until it is reset. */
  waitSeconds?: number | undefined;
}

/** The options of one call. */
export interface CallOptions {
  signal?: AbortSignal;
  /** For servers that can repeat an answer. */
  seed?: number | undefined;
  /** Sent as `X-Client-Request-Id`, by which OpenAI can find a request. */
  call?: string | undefined;
  /** Has the teacher store the answer, to be found by its call. */
  store?: boolean;
}

/** The settings that an answer is sampled with. */
export interface SamplingSettings {
  model: string;
  temperature: number;
  topP: number;
  /** Longest answer. */
  maximumTokens: number;
  /** A JSON schema for the answer, made by `structuredFormat`; default: text. */
  format?: StructuredFormat | undefined;
}

/** A JSON schema for answers: `response_format` of the chat-completions API, strict. */
export type StructuredFormat = ReturnType<typeof zodResponseFormat>;

/** @param name of the schema, such as `sample`; the teacher sees it */
export function structuredFormat(schema: z.ZodType, name: string): StructuredFormat {
  return zodResponseFormat(schema, name);
}

const completion = z.object({
  model: z.string(),
  choices: z
    .array(z.object({ message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }) }))
    .min(1),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number(), total_tokens: z.number() }).nullish(),
});

/** Makes the body of a request, sent by itself or in a batch. */
export function requestBody(
  messages: readonly TeacherMessage[],
  settings: SamplingSettings,
  seed?: number,
): ChatCompletionCreateParamsNonStreaming {
  return {
    model: settings.model,
    messages: [...messages],
    temperature: settings.temperature,
    top_p: settings.topP,
    max_tokens: settings.maximumTokens,
    ...(settings.format === undefined ? {} : { response_format: settings.format }),
    ...(seed === undefined ? {} : { seed }),
  };
}

/** SHA-256 of a request's body, as `requestBody` writes it. */
export function hashRequest(body: ChatCompletionCreateParamsNonStreaming): string {
  return hashBytes(JSON.stringify(body));
}

/**
 * Sends a request to the teacher once.
 *
 * @throws TeacherError that says whether and when to retry; the signal's reason when it was aborted
 */
export async function askTeacher(
  client: OpenAI,
  messages: readonly TeacherMessage[],
  settings: SamplingSettings,
  options: CallOptions = {},
): Promise<TeacherAnswer> {
  const body = requestBody(messages, settings, options.seed);
  const stored = options.store && options.call ? { store: true, metadata: { call: options.call } } : {};
  const headers = options.call === undefined ? {} : { 'X-Client-Request-Id': options.call };
  try {
    const { data, response } = await withOwnSignal(options.signal, (signal) =>
      client.chat.completions.create({ ...body, ...stored }, { signal, headers }).withResponse(),
    );
    return { ...readCompletion(data, hashRequest(body)), waitSeconds: limitReset(response.headers) };
  } catch (error) {
    options.signal?.throwIfAborted();
    throw teacherErrorFrom(error);
  }
}

/**
 * Reads a chat completion.
 *
 * @throws TeacherError (retryable) for anything else
 */
export function readCompletion(response: unknown, requestHash: string): TeacherAnswer {
  const result = completion.safeParse(response);
  if (!result.success) {
    throw new TeacherError('The teacher returned something that is not a chat completion', { retryable: true });
  }
  const { choices, model, usage } = result.data;
  const message = choices[0]?.message;
  return {
    text: message?.content ?? '',
    usage: {
      promptTokens: usage?.prompt_tokens ?? 0,
      completionTokens: usage?.completion_tokens ?? 0,
      totalTokens: usage?.total_tokens ?? 0,
    },
    model,
    requestHash,
    ...(message?.refusal ? { refusal: message.refusal } : {}),
  };
}

// The client never removes its listener from a signal, and one signal may serve a hundred thousand requests.
async function withOwnSignal<T>(outer: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort(outer?.reason);
  if (outer?.aborted) abort();
  outer?.addEventListener('abort', abort, { once: true });
  try {
    return await work(controller.signal);
  } finally {
    outer?.removeEventListener('abort', abort);
  }
}
