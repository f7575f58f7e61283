import { z } from 'zod';
import { hashBytes } from '../../src/core/hash.ts';
import { countTokens, firstTokens, tokensOfMessage } from '../../src/teacher/count-tokens.ts';
import type { LocalAnswer } from './answer-format.ts';
import { structuredContent } from './answer-format.ts';
import { answerPrompt } from './answer-prompt.ts';
import type { TokenCounts } from './bookkeeping.ts';

export const modelName = 'local-teacher';

const textPart = z.object({ type: z.literal('text'), text: z.string() });
const imagePart = z.object({ type: z.literal('image_url'), image_url: z.object({ url: z.string() }) });
const content = z.union([z.string(), z.array(z.union([textPart, imagePart, z.looseObject({})]))]);

/** The part of a chat-completions request that this teacher uses. */
export const chatRequest = z.object({
  model: z.string(),
  messages: z.array(z.object({ role: z.string(), content })).min(1),
  stream: z.literal(false).nullish(),
  max_tokens: z.int().positive().nullish(),
  max_completion_tokens: z.int().positive().nullish(),
  response_format: z
    .union([
      z.object({ type: z.enum(['text', 'json_object']) }),
      z.object({
        type: z.literal('json_schema'),
        json_schema: z.object({ name: z.string(), schema: z.looseObject({}) }),
      }),
    ])
    .nullish(),
  store: z.boolean().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
});
export type ChatRequest = z.output<typeof chatRequest>;

/** A request's text, and how many tokens it has. */
export interface ReadChat {
  prompt: string;
  /** The addresses of its images. */
  images: string[];
  /** SHA-256 of the text, and of the images where it has some. */
  hash: string;
  promptTokens: number;
  /** With the longest answer: what OpenAI counts for a limit. */
  mostTokens: number;
}

export interface ChatCompletion {
  id: string;
  object: 'chat.completion';
  created: number;
  model: string;
  choices: object[];
  usage: TokenCounts;
  metadata?: Record<string, string>;
}

const defaultMaximumTokens = 16;
/** It counts every image alike, as OpenAI's older models do at low detail. */
const tokensOfImage = 85;

export function readChat({ messages, max_tokens, max_completion_tokens }: ChatRequest): ReadChat {
  const prompt = messages.map(({ content }) => textOf(content)).join('\n\n');
  const images = messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.flatMap((part) => imagePart.safeParse(part).data?.image_url.url ?? []),
  );
  const promptTokens = countTokens(prompt) + tokensOfMessage * messages.length + tokensOfImage * images.length;
  const mostTokens = promptTokens + (max_completion_tokens ?? max_tokens ?? defaultMaximumTokens);
  const hash = hashBytes([prompt, ...images].join('\n'));
  return { prompt, images, hash, promptTokens, mostTokens };
}

/**
 * Answers a request by rules: the same prompt gives the same answer. Of several images the last one is looked at.
 *
 * @throws InputError for an image that is no data URL or can't be read
 */
export async function completeChat(
  request: ChatRequest,
  { prompt, images, hash, promptTokens }: ReadChat,
  options: { mistakeRate: number; seed: number | string; refused: boolean },
): Promise<{ completion: ChatCompletion; kind: LocalAnswer['kind'] }> {
  const image = images.at(-1);
  const seen = image === undefined ? undefined : await seeImage(image);
  const answer = answerPrompt(prompt, { ...options, seen });
  const text = request.response_format?.type === 'json_schema' ? structuredContent(answer) : answer.text;
  const refusal = options.refused ? "I'm sorry, I can't help with that." : null;
  const whole = refusal ?? text;
  const tokens = countTokens(whole);
  const most = request.max_completion_tokens ?? request.max_tokens ?? tokens;
  const isCut = tokens > most;
  const written = isCut ? firstTokens(whole, most) : whole;
  const completionTokens = Math.min(tokens, most);
  const completion: ChatCompletion = {
    id: `chatcmpl-${hash.slice(0, 29)}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: modelName,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: refusal === null ? written : null,
          refusal: refusal === null ? null : written,
        },
        logprobs: null,
        finish_reason: isCut ? 'length' : 'stop',
      },
    ],
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
    },
    ...(request.store && request.metadata ? { metadata: request.metadata } : {}),
  };
  return { completion, kind: options.refused ? 'refusal' : answer.kind };
}

/** Loaded when it is needed: most requests have no image. */
async function seeImage(url: string) {
  const { lookAt } = await import('./eyes/look.ts');
  return lookAt(url);
}

function textOf(content: ChatRequest['messages'][number]['content']): string {
  if (typeof content === 'string') return content;
  return content.flatMap((part) => textPart.safeParse(part).data?.text ?? []).join('\n');
}
