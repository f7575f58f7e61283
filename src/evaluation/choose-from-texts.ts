import type { AnsweredQuestion, Benchmark } from './benchmarks/benchmark.ts';
import { type ExtractedChoice, extractChoice } from './extract-choice.ts';
import type { UnclearAnswer } from './extract-with-teacher.ts';

/** Settles the answers that the rules can't place, in their order. */
export type SettleUnclear = (unclear: readonly UnclearAnswer[]) => Promise<ExtractedChoice[]>;

/**
 * Finds the choices of questions that were answered in words: by rules, then as `settle` says. An answer that means
 * none of the options, or that nobody can place, stays without a choice.
 *
 * @throws Error when a question has no written answer to look in; what `settle` throws
 */
export async function chooseFromTexts(
  benchmark: Pick<Benchmark, 'options'>,
  answered: readonly AnsweredQuestion[],
  settle: SettleUnclear = async (unclear) => unclear.map(() => undefined),
): Promise<AnsweredQuestion[]> {
  const written = answered.map((one) => {
    const asked = benchmark.options?.(one.question);
    if (one.losses.length > 0 || asked === undefined) return { one };
    if (one.text === undefined) throw new Error(`Question ${one.question.id} has no written answer`);
    const answer = { ...asked, answer: one.text };
    return { one, answer, found: extractChoice(answer.answer, answer.options) };
  });
  const unclear = written.flatMap(({ answer, found }) => (answer && found === undefined ? [answer] : []));
  const settled = unclear.length === 0 ? [] : await settle(unclear);
  const settledOf = new Map(unclear.map((answer, index) => [answer, settled[index]]));
  return written.map(({ one, answer, found }) => {
    if (answer === undefined) return one;
    const choice = found ?? settledOf.get(answer);
    if (choice === undefined || choice === 'none') return one;
    return { ...one, choice: answer.options.findIndex(({ letter }) => letter === choice.letter) };
  });
}
