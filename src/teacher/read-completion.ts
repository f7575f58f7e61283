/**
 * Reading a chat completion, with what servers other than OpenAI's leave out or add.
 */
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import { z } from 'zod';
import { hashBytes } from '../core/hash.ts';
import { countTokens, tokensOfMessage } from './count-tokens.ts';
import { imageUrlTokens } from './image-tokens.ts';
import { errorInBody } from './read-error.ts';
import { TeacherError } from './teacher-error.ts';
import { firstWords, isWebPage, wordsOfPage } from './web-page.ts';

/** Tokens as counted by the teacher; where it counts none, by our own count. */
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
  /** Why the answer ends, in the server's words: `stop`, `length`, `content_filter`. */
  finishReason?: string | undefined;
  /** Why the teacher refused to answer, or did not end its answer. */
  refusal?: string | undefined;
  /** Set when a limit is used up: seconds until it is reset. */
  waitSeconds?: number | undefined;
}

const contentPart = z.looseObject({ text: z.string().optional() });
const message = z.object({
  content: z.union([z.string(), z.array(contentPart)]).nullish(),
  refusal: z.string().nullish(),
  reasoning_content: z.string().nullish().catch(undefined),
});
const choice = z.looseObject({ message, finish_reason: z.string().nullish(), error: z.unknown().optional() });
const completion = z.object({
  model: z.string().nullish().catch(undefined),
  choices: z.array(choice).min(1),
  usage: z.unknown().optional(),
});

const tokenCount = z.number().nonnegative().optional().catch(undefined);
const usageSchema = z
  .object({ prompt_tokens: tokenCount, completion_tokens: tokenCount, total_tokens: tokenCount })
  .catch({});
const withUsage = z.looseObject({ usage: z.unknown().optional() });

/** SHA-256 of a request's body, as `requestBody` writes it. */
export function hashRequest(body: ChatCompletionCreateParamsNonStreaming): string {
  return hashBytes(JSON.stringify(body));
}

/**
 * Reads a chat completion. Token counts that the server leaves out, or that can't be right, are counted here. An answer
 * that a content filter has stopped has a refusal.
 *
 * @param body the request
 * @throws TeacherError for anything else: with the provider's own words for an error with the status 200; not retryable
 *   for a web page and for an error that stays
 */
export function readCompletion(response: unknown, body: ChatCompletionCreateParamsNonStreaming): TeacherAnswer {
  const value = typeof response === 'string' ? parseText(response) : response;
  const result = completion.safeParse(value);
  if (!result.success) throw errorInBody(value) ?? errorInBody(choicesOf(value)[0]) ?? noCompletion(value, body);
  const { choices, model, usage } = result.data;
  const [first] = choices as [z.output<typeof choice>];
  const text = textOf(first.message.content);
  const { refusal, reasoning_content: reasoning } = first.message;
  const tokens = tokensUsed(usage, body, [reasoning, text, refusal]);
  const finishReason = first.finish_reason ?? undefined;
  const error = finishReason === 'error' ? errorInBody(first) : undefined;
  if (error || finishReason === 'error') {
    throw error ?? unusable('The teacher stopped with an error in the middle of an answer', { charged: tokens });
  }
  const reason = refusal || (isFiltered(finishReason) ? `The provider's content filter stopped the answer` : undefined);
  return {
    text,
    usage: tokens,
    model: model ?? body.model,
    requestHash: hashRequest(body),
    finishReason,
    ...(reason ? { refusal: reason } : {}),
  };
}

/** Whether an answer ends where its longest length was reached, by its finish reason. */
export function isCut(finishReason: string | undefined): boolean {
  return finishReason !== undefined && /^(?:length|max_(?:output_)?tokens)$/i.test(finishReason);
}

function isFiltered(finishReason: string | undefined): boolean {
  return finishReason !== undefined && /^(?:content_filter|safety|recitation|prohibited_content)$/i.test(finishReason);
}

// A choice with an error may have no message.
function choicesOf(value: unknown): unknown[] {
  return z.looseObject({ choices: z.array(z.unknown()) }).safeParse(value).data?.choices ?? [];
}

/** The tokens of a prompt by our own count, and those of its images by the model's rule. */
function countRequest({ messages, model }: ChatCompletionCreateParamsNonStreaming): { text: number; images: number } {
  const count = { text: messages.length * tokensOfMessage, images: 0 };
  for (const { content } of messages) {
    for (const part of typeof content === 'string' ? [{ text: content }] : (content ?? [])) {
      if ('text' in part) count.text += countTokens(part.text);
      if (!('image_url' in part)) continue;
      const { url, detail } = part.image_url;
      count.images += imageUrlTokens(model, url, detail === 'low' ? detail : 'high');
    }
  }
  return count;
}

/**
 * The server's counts where they are plausible: other models' tokenizers differ from ours by some percent, never by half.
 * So a budget holds with a server that counts nothing. What an image counts is the server's to say: it is not compared.
 */
function tokensUsed(
  usage: unknown,
  body: ChatCompletionCreateParamsNonStreaming,
  written: readonly (string | null | undefined)[],
): TokenUsage {
  const { prompt_tokens, completion_tokens, total_tokens } = usageSchema.parse(usage);
  const ownPrompt = countRequest(body);
  const ownCompletion = written.reduce((sum, text) => sum + countTokens(text ?? ''), 0);
  const promptTokens = plausible(prompt_tokens, ownPrompt.text, ownPrompt.images);
  // Some servers count the tokens of reasoning in the total alone.
  const rest = prompt_tokens === undefined || total_tokens === undefined ? 0 : total_tokens - prompt_tokens;
  const completionTokens = plausible(Math.max(completion_tokens ?? 0, rest), ownCompletion);
  return { promptTokens, completionTokens, totalTokens: promptTokens + completionTokens };
}

function plausible(reported: number | undefined, own: number, ownImages = 0): number {
  return reported !== undefined && reported >= own / 2 ? reported : own + ownImages;
}

function textOf(content: z.output<typeof message>['content']): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map(({ text = '' }) => text).join('');
}

// The client parses a body only when its content type says JSON.
function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function noCompletion(value: unknown, body: ChatCompletionCreateParamsNonStreaming): TeacherError {
  if (typeof value === 'string' && isWebPage(value)) {
    return new TeacherError(
      `The teacher's address returned a web page instead of a chat completion: ${excerpt(wordsOfPage(value))}. Check teacher.baseUrl, and whether a proxy or a login page is in between`,
      { retryable: false },
    );
  }
  const message = `The teacher returned something that is not a chat completion: ${excerpt(typeof value === 'string' ? value : JSON.stringify(value))}`;
  const parsed = withUsage.safeParse(value);
  // A model has run, though it wrote nothing.
  const charged = parsed.success && parsed.data.usage ? tokensUsed(parsed.data.usage, body, []) : undefined;
  return unusable(message, { charged });
}

function unusable(message: string, { charged }: { charged: TokenUsage | undefined }): TeacherError {
  return new TeacherError(message, { retryable: true, unusable: true, charged });
}

function excerpt(text = ''): string {
  return `"${firstWords(text)}"`;
}
