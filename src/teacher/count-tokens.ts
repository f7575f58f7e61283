import { countTokens as countExactly, decode, encode } from 'gpt-tokenizer/encoding/cl100k_base';
import type { ChatMessage } from './prompt-template.ts';

const maximumCached = 20_000;
const countOf = new Map<string, number>();

/**
 * How many tokens a text has for GPT-4 (`cl100k_base`). Counted by paragraph, because most paragraphs are the
 * same in every prompt and their counts are cached; the error is at most one token a paragraph.
 */
export function countTokens(text: string): number {
  return text.split(/(?<=\n\n)/).reduce((sum, paragraph) => sum + cachedCount(paragraph), 0);
}

/** The tokens around a message, as OpenAI counts them. */
export const tokensOfMessage = 4;
/** The tokens of an image at low detail, by OpenAI's page on vision. */
export const tokensOfImage = 85;

/** How many tokens a prompt of these messages has, without images. */
export function countPromptTokens(messages: readonly ChatMessage[]): number {
  return messages.reduce((sum, { content }) => sum + countTokens(content) + tokensOfMessage, 0);
}

/** The first tokens of a text: what a model writes whose output is limited to so many. */
export function firstTokens(text: string, count: number): string {
  return decode(encode(text).slice(0, count));
}

function cachedCount(paragraph: string): number {
  let count = countOf.get(paragraph);
  if (count === undefined) {
    count = countExactly(paragraph);
    if (countOf.size >= maximumCached) countOf.clear();
    countOf.set(paragraph, count);
  }
  return count;
}
