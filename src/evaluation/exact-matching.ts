/**
 * The exact matching of MMBench's official evaluation, VLMEvalKit (https://github.com/open-compass/VLMEvalKit,
 * `can_infer` of `vlmeval/utils/matching_util.py`), equal to it answer by answer: see `test/evaluation/exact-matching.test.ts`.
 */
import type { LetteredChoice } from './benchmarks/benchmark.ts';
import { isMissing } from './pandas-missing.ts';
import { splitWords, whiteSpace } from './python-text.ts';

/** The letter of a choice; `none` when the answer says that it is none of them; undefined when the rules can't decide. */
export type ExtractedChoice = { letter: string } | 'none' | undefined;

/** What models write instead of an answer. */
const refusals = [
  "Sorry, I can't help with images of people yet.",
  "I can't process this file.",
  "I'm sorry, but without the image provided",
  'Cannot determine the answer',
];
/** What VLMEvalKit writes where a model's API failed: such a text has no letter, not even the A of API. */
const failedCall = 'Failed to obtain answer via API';
const punctuation = /[.()[\],:;!*#{}]/g;
/** A letter counts only among the last words: earlier, an `A` is more likely the article. */
const lastWords = 5;
/** Not only a whole word: of `answer is dark`, the official rule takes the D. */
const statedLetter = new RegExp(String.raw`answer${whiteSpace}+is${whiteSpace}+\**([ABCD])`, 'iu');

/**
 * Matches an answer as VLMEvalKit does without a judge model. What pandas reads as missing is no choice there, such as `None`,
 * and as an answer it is the text `nan`.
 */
export function matchExactly(answer: string, choices: readonly LetteredChoice[]): ExtractedChoice {
  const known = choices.filter(({ text }) => !isMissing(text));
  return matchByRules(isMissing(answer) ? 'nan' : answer, known);
}

/**
 * The rules, on texts as they are: a lone letter among the last words, else a letter after `answer is`, else the one choice
 * whose words the answer contains.
 */
export function matchByRules(answer: string, choices: readonly LetteredChoice[]): ExtractedChoice {
  return matchLetter(answer, choices) ?? matchWords(answer.toLowerCase(), choices);
}

function matchLetter(answer: string, choices: readonly LetteredChoice[]): ExtractedChoice {
  if (answer.includes(failedCall)) return undefined;
  if (refusals.some((refusal) => answer.includes(refusal))) return 'none';
  const letters = choices.map(({ letter }) => letter);
  const written = splitWords(answer.replace(punctuation, ' '));
  const named = letters.filter((letter) => written.includes(letter));
  const [only] = named;
  if (only !== undefined && named.length === 1 && written.indexOf(only) > written.length - lastWords) {
    return { letter: only };
  }
  if (named.length === 0 && written.includes('Z')) return 'none';
  const stated = statedLetter.exec(answer)?.[1]?.toUpperCase();
  return stated !== undefined && letters.includes(stated) ? { letter: stated } : undefined;
}

function matchWords(answer: string, choices: readonly LetteredChoice[]): ExtractedChoice {
  // An answer far longer than all choices together may mention several of them.
  const allWords = choices.reduce((sum, { text }) => sum + lengthOf(text), 0);
  if (lengthOf(answer) > 2 * allWords) return undefined;
  const [contained, ...others] = choices.filter(({ text }) => answer.includes(text.toLowerCase()));
  return contained !== undefined && others.length === 0 ? { letter: contained.letter } : undefined;
}

/** In code points, as Python counts. */
function lengthOf(text: string): number {
  return [...text].length;
}
