import type { EvaluatedQuestion, Weights } from './records.ts';

/**
 * The share of wrong answers for each question type that was asked, to three decimals: what `weight.json`
 * holds, and what Adaptive Bad-case Sampling draws types by. Types are in alphabetical order.
 */
export function errorWeights(
  records: readonly Pick<EvaluatedQuestion, 'question_type' | 'model_choice_idx' | 'correct_choice_idx'>[],
): Weights {
  const asked = new Map<string, number>();
  const wrong = new Map<string, number>();
  for (const record of records) {
    const type = record.question_type;
    asked.set(type, (asked.get(type) ?? 0) + 1);
    if (record.model_choice_idx !== record.correct_choice_idx) wrong.set(type, (wrong.get(type) ?? 0) + 1);
  }
  const types = [...asked.keys()].sort();
  return Object.fromEntries(types.map((type) => [type, share(wrong.get(type) ?? 0, asked.get(type) as number)]));
}

function share(wrong: number, asked: number): number {
  return Math.round((wrong / asked) * 1000) / 1000;
}
