/**
 * Grades a written answer by the words that it shares with the right ones, from the text of a request alone.
 */
import { wordsOf } from './words.ts';

const highestScore = 4;
/** They turn what the other words say into its opposite. */
const negations = ['not', 'no', 'never', 'without', "isn't", "aren't", "doesn't", "don't"];

/** The share of the words of the best right answer that the answer has, as a whole score from 0 to 4. */
export function gradeByWords(references: readonly string[], answer: string): number {
  const given = new Set(wordsOf(answer));
  const isNegated = negations.some((word) => given.has(word));
  const shares = references.map((reference) => {
    const wanted = [...new Set(wordsOf(reference))];
    if (isNegated !== negations.some((word) => wanted.includes(word))) return 0;
    return wanted.filter((word) => given.has(word)).length / Math.max(1, wanted.length);
  });
  return Math.floor(Math.max(0, ...shares) * highestScore);
}
