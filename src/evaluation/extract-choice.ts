/**
 * Finds which option a free answer means, by rules. They follow those of MMBench's official evaluation (VLMEvalKit's
 * `matching_util.py`): first a lone letter near the end, then the one option whose words the answer holds.
 */

export interface Option {
  letter: string;
  text: string;
}

/** The letter of an option; `none` when the answer says that it is none of them; undefined when the rules can't tell. */
export type ExtractedChoice = { letter: string } | 'none' | undefined;

/** What models say that don't answer. */
const refusals = [
  "Sorry, I can't help with images of people yet.",
  "I can't process this file.",
  "I'm sorry, but without the image provided",
  'Cannot determine the answer',
];
const punctuation = /[.()[\],:;!*#{}]/g;
/** A letter counts among the last words only: earlier an `A` is likelier the article. */
const lastWords = 5;
const statedLetter = /answer is:?\s*(?:\*\*|\()*([A-Z])(?![A-Za-z'])/;

/** Applies the rules to an answer. */
export function extractChoice(answer: string, options: readonly Option[]): ExtractedChoice {
  if (refusals.some((refusal) => answer.includes(refusal))) return 'none';
  const letters = options.map(({ letter }) => letter);
  const words = answer.replace(punctuation, ' ').split(/\s+/).filter(Boolean);
  const named = letters.filter((letter) => words.includes(letter));
  const [only] = named;
  if (only !== undefined && named.length === 1 && words.indexOf(only) > words.length - lastWords) {
    return { letter: only };
  }
  if (named.length === 0 && words.includes('Z')) return 'none';
  const stated = statedLetter.exec(answer)?.[1];
  if (stated !== undefined && letters.includes(stated)) return { letter: stated };
  return extractByWords(answer.toLowerCase(), options);
}

function extractByWords(answer: string, options: readonly Option[]): ExtractedChoice {
  // An answer far longer than all options together may well name several in passing.
  const allWords = options.reduce((sum, { text }) => sum + text.length, 0);
  if (answer.length > 2 * allWords) return undefined;
  const held = options.filter(({ text }) => answer.includes(text.toLowerCase()));
  return held.length === 1 ? { letter: (held[0] as Option).letter } : undefined;
}
