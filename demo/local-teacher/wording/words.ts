/**
 * How questions are worded: their words in order, with a slot for what only single questions name. Any English text will do;
 * nothing is known of what the questions are about.
 */

/** A question, with its right answer where the request has one. */
export interface WordedQuestion {
  question: string;
  answer?: string | undefined;
}

/** Words that say how something is asked, not about what. */
const functionWords = new Set(
  (
    'a an the this that these those what which who whom whose when where why how is are was were be been being am do does ' +
    'did has have had can could will would shall should may might must of to in on at by for from with about into over ' +
    'under between through during before after above below up down out off again then once here there all any both each ' +
    'few more most other some such no nor not only own same so than too very and or but if as until while it its they ' +
    'them their he she his her you your we our i me my seen'
  ).split(' '),
);

/** Words of fewer questions than this share are slots. */
const frequentFrom = 0.025;
export const slot = '…';

export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];
}

/**
 * Learns from questions which words are slots: those that are rare, and those that answer another question.
 *
 * @param options.fewest a word of fewer questions is a slot, however few questions there are
 * @returns the skeleton of a question: its words, with one slot for all that stand side by side
 */
export function skeletonsOf(
  questions: readonly WordedQuestion[],
  { fewest = 2 }: { fewest?: number } = {},
): (question: string) => string[] {
  const questionsWith = countAll(questions.flatMap(({ question }) => [...new Set(wordsOf(question))]));
  const answers = new Set(questions.flatMap(({ answer = '' }) => wordsOf(answer)));
  const least = Math.max(fewest, frequentFrom * questions.length);
  const isSlot = (word: string) =>
    !functionWords.has(word) && (answers.has(word) || (questionsWith.get(word) ?? 0) < least);
  return (question) => {
    const skeleton: string[] = [];
    for (const word of wordsOf(question)) {
      if (!isSlot(word)) skeleton.push(word);
      else if (skeleton.at(-1) !== slot) skeleton.push(slot);
    }
    return skeleton;
  };
}

const longestGram = 3;

/** All runs of one to three words, with the question's start and end; a slot alone says nothing. */
export function gramsOf(skeleton: readonly string[]): Map<string, number> {
  const words = ['^', ...skeleton, '$'];
  const grams: string[] = [];
  for (let length = 1; length <= longestGram; length += 1) {
    for (let start = 0; start + length <= words.length; start += 1) {
      const gram = words.slice(start, start + length).join(' ');
      if (!['^', '$', slot].includes(gram)) grams.push(gram);
    }
  }
  return countAll(grams);
}

export function countAll<T>(items: Iterable<T>): Map<T, number> {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

/** The square roots of counts, weighted by how few of all texts have each. */
export function weighRare(
  counts: ReadonlyMap<string, number>,
  textsWith: ReadonlyMap<string, number>,
  texts: number,
): Map<string, number> {
  return new Map(
    [...counts].map(([key, count]) => [key, Math.sqrt(count) * Math.log((texts + 1) / (textsWith.get(key) ?? 0.5))]),
  );
}

/** From 0 for nothing in common to 1. */
export function cosine(left: ReadonlyMap<string, number>, right: ReadonlyMap<string, number>): number {
  let product = 0;
  for (const [key, value] of left) product += value * (right.get(key) ?? 0);
  return product === 0 ? 0 : product / (lengthOf(left) * lengthOf(right));
}

function lengthOf(vector: ReadonlyMap<string, number>): number {
  return Math.sqrt([...vector.values()].reduce((sum, value) => sum + value * value, 0));
}
