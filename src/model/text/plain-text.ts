/**
 * Text that must stay text although it spells a special token: a question about the tag `<image>` shows no second image.
 *
 * Where special tokens are looked for in a text is no choice of a tokenizer's caller. So a character that no text has is
 * written into such a mark, which is then no token, and the tokenizer's normalizer, which comes after, takes it out again.
 */

/** A noncharacter of Unicode, for uses inside of a program. Written in src/trainer/torch/plain_text.py too. */
export const BREAK = '\uFDD0';

/** The text, in which the mark is no special token for a tokenizer that `loadTokenizer` opened. */
export function asPlainText(text: string, mark: string): string {
  return text.replaceAll(mark, () => `${mark.slice(0, 1)}${BREAK}${mark.slice(1)}`);
}
