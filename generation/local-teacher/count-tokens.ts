/**
 * Roughly how many tokens a text has for a GPT-4 class tokenizer: a short word or a mark is one, a longer word
 * one for each six letters begun.
 */
export function countTokens(text: string): number {
  const pieces = text.match(/[\p{L}\p{M}]+|\p{N}{1,3}|[^\s\p{L}\p{M}\p{N}]/gu) ?? [];
  return pieces.reduce((sum, piece) => sum + Math.ceil(piece.length / 6), 0);
}
