import type { Rejection } from './filters.ts';

/** A question about a picture. */
export interface AskedQuestion {
  image_id: number;
  question: string;
}

/**
 * Remembers questions, and says of a new one whether it was there before about the same picture: word for word
 * (`duplicate`), or the same but for case, punctuation and little words (`near_duplicate`).
 * The same question about another picture is a new one. A question that is new is remembered.
 */
export function duplicateFinder(earlier: readonly AskedQuestion[]): (asked: AskedQuestion) => Rejection | undefined {
  const seen = new Map<string, string>();
  for (const asked of earlier) seen.set(keyOf(asked), asked.question);
  return (asked) => {
    const key = keyOf(asked);
    const before = seen.get(key);
    if (before === undefined) {
      seen.set(key, asked.question);
      return undefined;
    }
    return { reason: before === asked.question ? 'duplicate' : 'near_duplicate', detail: before };
  };
}

const wordsThatDoNotCount = new Set(['a', 'an', 'the', 'of', 'this', 'that', 'here', 'image', 'picture']);

function keyOf({ image_id, question }: AskedQuestion): string {
  const words = question
    .normalize('NFKC')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '' && !wordsThatDoNotCount.has(word));
  return `${image_id} ${words.join(' ')}`;
}
