/**
 * Finds which choice a written answer means: by the official exact matching, and by a more lenient rule of our own.
 */
import type { AnsweredQuestion, Benchmark, LetteredChoice } from './benchmarks/benchmark.ts';
import { type ExtractedChoice, matchByRules, matchExactly } from './exact-matching.ts';

/** How models answer that are trained on A-OKVQA here: `The answer is (B) cat.` The letter counts whatever follows it. */
const statedLetter = /answer is:?\s*(?:\*\*|\()*([A-Z])(?![A-Za-z'])/;

/** What the rules of exact matching find, `None` being a word; where they find nothing, the letter that the answer states. */
export function extractChoice(answer: string, choices: readonly LetteredChoice[]): ExtractedChoice {
  const found = matchByRules(answer, choices);
  if (found !== undefined) return found;
  const stated = statedLetter.exec(answer)?.[1];
  return stated !== undefined && choices.some(({ letter }) => letter === stated) ? { letter: stated } : undefined;
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
 * Finds the choices of questions that were answered in words: `choice` by exact matching alone, `lenientChoice` by both rules,
 * then as `settle` says. An answer that means none of the choices, or that is not decided, stays without one.
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
    const choice = placeOf(matchExactly(answer.answer, answer.choices), answer.choices);
    return { ...one, choice, lenientChoice: placeOf(found ?? settledOf.get(answer), answer.choices) };
  });
}

function placeOf(found: ExtractedChoice, choices: readonly LetteredChoice[]): number | undefined {
  return found === undefined || found === 'none'
    ? undefined
    : choices.findIndex(({ letter }) => letter === found.letter);
}
