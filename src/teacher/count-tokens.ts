import { countTokens as countExactly, decode, encode } from 'gpt-tokenizer/encoding/cl100k_base';
import type { ChatMessage } from './prompt-template.ts';

const maximumCached = 20_000;
// Marks such as `<|endoftext|>` in a caption or an answer are text: servers count them as that, too.
const plain = { disallowedSpecial: new Set<string>() };
// The time for a run grows with the square of its length.
const longRun = /\p{L}{300}|\s{300}|[^\s\p{L}\p{N}]{300}/gu;
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

/** How many tokens a prompt of these messages has, without images. */
export function countPromptTokens(messages: readonly ChatMessage[]): number {
  return messages.reduce((sum, { content }) => sum + countTokens(content) + tokensOfMessage, 0);
}

/** The first tokens of a text: what a model writes whose output is limited to so many. */
export function firstTokens(text: string, count: number): string {
  const tokens: number[] = [];
  for (const piece of piecesOf(text)) {
    if (tokens.length >= count) break;
    for (const token of encode(piece, plain)) tokens.push(token);
  }
  return decode(tokens.slice(0, count));
}

function cachedCount(paragraph: string): number {
  let count = countOf.get(paragraph);
  if (count === undefined) {
    count = piecesOf(paragraph).reduce((sum, piece) => sum + countExactly(piece, plain), 0);
    if (countOf.size >= maximumCached) countOf.clear();
    countOf.set(paragraph, count);
  }
  return count;
}

/** The text, cut where a run of letters, of spaces or of signs is longer than any in a language. */
function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  for (const { 0: run, index } of text.matchAll(longRun)) {
    pieces.push(text.slice(start, index + run.length));
    start = index + run.length;
  }
  pieces.push(text.slice(start));
  return pieces;
}
