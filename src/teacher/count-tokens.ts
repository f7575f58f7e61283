import { countTokens as countExactly, decode, encode } from 'gpt-tokenizer/encoding/cl100k_base';
import type { ChatMessage } from './prompt-template.ts';

const longestMemory = 20_000;
const countOf = new Map<string, number>();

/**
 * How many tokens a text has for GPT-4 (`cl100k_base`). Counted a paragraph at a time, since most of a prompt is the
 * same in every request and is remembered; that is at most a token a paragraph off.
 */
export function countTokens(text: string): number {
  return text.split(/(?<=\n\n)/).reduce((sum, paragraph) => sum + remembered(paragraph), 0);
}

/** As OpenAI counts what frames a message. */
export const tokensOfMessage = 4;
/** What OpenAI's page on vision says of an image at low detail. */
export const tokensOfImage = 85;

/** How many tokens messages have as a prompt, without images. */
export function countPromptTokens(messages: readonly ChatMessage[]): number {
  return messages.reduce((sum, { content }) => sum + countTokens(content) + tokensOfMessage, 0);
}

/** The beginning of a text, as a model writes it that may write no more tokens than these. */
export function firstTokens(text: string, count: number): string {
  return decode(encode(text).slice(0, count));
}

function remembered(paragraph: string): number {
  let count = countOf.get(paragraph);
  if (count === undefined) {
    count = countExactly(paragraph);
    if (countOf.size >= longestMemory) countOf.clear();
    countOf.set(paragraph, count);
  }
  return count;
}
