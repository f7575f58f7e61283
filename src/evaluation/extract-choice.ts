/**
 * Finds which choice a free answer means, by rules. They follow those of MMBench's official evaluation (VLMEvalKit's
 * `matching_util.py`): first a lone letter near the end, then the one choice whose words the answer contains.
 */
import type { AnsweredQuestion, Benchmark, LetteredChoice } from './benchmarks/benchmark.ts';

/** The letter of a choice; `none` when the answer says that it is none of them; undefined when the rules can't decide. */
export type ExtractedChoice = { letter: string } | 'none' | undefined;

/** What models write instead of an answer. */
const refusals = [
  "Sorry, I can't help with images of people yet.",
  "I can't process this file.",
  "I'm sorry, but without the image provided",
  'Cannot determine the answer',
];
const punctuation = /[.()[\],:;!*#{}]/g;
/** A letter counts only among the last words: earlier, an `A` is more likely the article. */
const lastWords = 5;
const statedLetter = /answer is:?\s*(?:\*\*|\()*([A-Z])(?![A-Za-z'])/;

/** Applies the rules to an answer. */
export function extractChoice(answer: string, choices: readonly LetteredChoice[]): ExtractedChoice {
  if (refusals.some((refusal) => answer.includes(refusal))) return 'none';
  const letters = choices.map(({ letter }) => letter);
  const words = answer.replace(punctuation, ' ').split(/\s+/).filter(Boolean);
  const named = letters.filter((letter) => words.includes(letter));
  const [only] = named;
  if (only !== undefined && named.length === 1 && words.indexOf(only) > words.length - lastWords) {
    return { letter: only };
  }
  if (named.length === 0 && words.includes('Z')) return 'none';
  const stated = statedLetter.exec(answer)?.[1];
  if (stated !== undefined && letters.includes(stated)) return { letter: stated };
  return extractByWords(answer.toLowerCase(), choices);
}

function extractByWords(answer: string, choices: readonly LetteredChoice[]): ExtractedChoice {
  // An answer far longer than all choices together may mention several of them.
  const allWords = choices.reduce((sum, { text }) => sum + text.length, 0);
  if (answer.length > 2 * allWords) return undefined;
  const contained = choices.filter(({ text }) => answer.includes(text.toLowerCase()));
  return contained.length === 1 ? { letter: (contained[0] as LetteredChoice).letter } : undefined;
}

/** A written answer that the rules could not decide. */
export interface UnclearAnswer {
  question: string;
  choices: readonly LetteredChoice[];
  answer: string;
}

/** Decides the answers that the rules can't, in their order. */
export type SettleUnclear = (unclear: readonly UnclearAnswer[]) => Promise<ExtractedChoice[]>;

/**
 * Finds the choices of questions that were answered in words: by rules, then as `settle` says. An answer that means
 * none of the choices, or that neither can decide, stays without one.
 *
 * @throws Error when a question has no written answer to look in; what `settle` throws
 */
export async function chooseFromTexts(
  benchmark: Pick<Benchmark, 'writtenChoices'>,
  answered: readonly AnsweredQuestion[],
  settle: SettleUnclear = async (unclear) => unclear.map(() => undefined),
): Promise<AnsweredQuestion[]> {
  const written = answered.map((one) => {
    const asked = benchmark.writtenChoices?.(one.question);
    if (one.losses.length > 0 || asked === undefined) return { one };
    if (one.text === undefined) throw new Error(`Question ${one.question.id} has no written answer`);
    const answer = { ...asked, answer: one.text };
    return { one, answer, found: extractChoice(answer.answer, answer.choices) };
  });
  const unclear = written.flatMap(({ answer, found }) => (answer && found === undefined ? [answer] : []));
  const settled = unclear.length === 0 ? [] : await settle(unclear);
  const settledOf = new Map(unclear.map((answer, index) => [answer, settled[index]]));
  return written.map(({ one, answer, found }) => {
    if (answer === undefined) return one;
    const choice = found ?? settledOf.get(answer);
    if (choice === undefined || choice === 'none') return one;
    return { ...one, choice: answer.choices.findIndex(({ letter }) => letter === choice.letter) };
  });
}
