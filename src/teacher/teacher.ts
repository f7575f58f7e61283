import type { OpenAI } from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import type { z } from 'zod';
import type { ImageDetail } from './image-tokens.ts';
import type { ChatMessage } from './prompt-template.ts';
import { readCompletion, type TeacherAnswer } from './read-completion.ts';
import { limitReset, teacherErrorFrom } from './read-error.ts';

/** A message with text and images, for teachers with vision. */
export type TeacherMessage = ChatMessage | { role: 'user'; content: MessagePart[] };
export type MessagePart =
  | { type: 'text'; text: string }
  | { type: 'image_url'; image_url: { url: string; detail?: 'low' | 'high' | 'auto' } };

/** The messages with an image in the last one. @param url data URL */
export function withImage(
  messages: readonly ChatMessage[],
  url: string,
  detail: ImageDetail = defaultDetail,
): TeacherMessage[] {
  return messages.map((message, index) =>
    index === messages.length - 1 && message.role === 'user'
      ? {
          role: 'user',
          content: [
            { type: 'text', text: message.content },
            { type: 'image_url', image_url: { url, detail } },
          ],
        }
      : message,
  );
}

/** How closely a teacher looks at an image where nothing else is set. */
export const defaultDetail: ImageDetail = 'low';

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
  /** The field that this is sent as; default: by the model. */
  tokenLimitParameter?: 'auto' | 'max_tokens' | 'max_completion_tokens' | undefined;
  /** Whether temperature and nucleus are sent; default: by the model. */
  samplingParameters?: 'auto' | 'send' | 'omit' | undefined;
  /** Texts that end the answer; default: none. */
  stop?: readonly string[] | undefined;
  /** Token id → bias; default: none. */
  logitBias?: Readonly<Record<string, number>> | undefined;
  /** More fields of the request's body; null leaves one out. */
  extraBody?: Readonly<Record<string, unknown>> | undefined;
  /** How images are sent; default: at low detail. */
  images?: { detail: ImageDetail } | undefined;
  /** A JSON schema for the answer, made by `structuredFormat`; default: text. */
  format?: StructuredFormat | undefined;
}

/** A JSON schema for answers: `response_format` of the chat-completions API, strict. */
export type StructuredFormat = ReturnType<typeof zodResponseFormat>;

/** @param name of the schema, such as `sample`; the teacher sees it */
export function structuredFormat(schema: z.ZodType, name: string): StructuredFormat {
  return zodResponseFormat(schema, name);
}

/** OpenAI's reasoning models, which refuse `max_tokens` and, unless they only chat, any temperature but 1. */
const reasoningModel = /^(?:ft:|[\w.-]+\/)*(?:o[1-9]\b|codex|gpt-[5-9](?!\d))/i;
const chatModel = /^(?:ft:|[\w.-]+\/)*gpt-[\d.]+-chat/i;

/** Makes the body of a request, sent by itself or in a batch. */
export function requestBody(
  messages: readonly TeacherMessage[],
  settings: SamplingSettings,
  seed?: number,
): ChatCompletionCreateParamsNonStreaming {
  const { model, temperature, topP, maximumTokens, format, extraBody = {} } = settings;
  const { tokenLimitParameter = 'auto', samplingParameters = 'auto', stop = [], logitBias = {} } = settings;
  const reasons = reasoningModel.test(model);
  const sampled = samplingParameters === 'auto' ? !reasons || chatModel.test(model) : samplingParameters === 'send';
  const limit =
    tokenLimitParameter === 'auto' ? (reasons ? 'max_completion_tokens' : 'max_tokens') : tokenLimitParameter;
  const body = {
    model,
    messages: [...messages],
    ...(sampled ? { temperature, top_p: topP } : {}),
    [limit]: maximumTokens,
    ...(stop.length === 0 ? {} : { stop: [...stop] }),
    ...(Object.keys(logitBias).length === 0 ? {} : { logit_bias: logitBias }),
    ...(format === undefined ? {} : { response_format: format }),
    ...(seed === undefined ? {} : { seed }),
    ...extraBody,
  };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)) as typeof body;
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
    return { ...readCompletion(data, body), waitSeconds: limitReset(response.headers) };
  } catch (error) {
    options.signal?.throwIfAborted();
    throw teacherErrorFrom(error);
  }
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
