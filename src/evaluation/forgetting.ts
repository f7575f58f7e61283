/**
 * Forgetting: what earlier rounds answered correctly and this one does not, hidden by gains elsewhere.
 */

import { z } from 'zod';
import { emptyRecord } from '../core/records.ts';
import { isRight } from './bad-cases.ts';
import type { Answered } from './round-comparison.ts';

const forgottenSchema = z.object({
  /** The earlier round that was best at the type; the latest of equally good ones. */
  bestRound: z.number(),
  /** Questions that it got right. */
  right: z.number(),
  /** Those of them that are answered wrongly now. */
  lost: z.number(),
  /** Ids of the lost ones. */
  questions: z.array(z.string()),
});

/** Question type → what was forgotten of it (`forgotten.json`). */
export const forgettingSchema = z.record(z.string(), forgottenSchema);
export type Forgetting = z.output<typeof forgettingSchema>;

/**
 * For each question type, the questions that the best earlier round answered correctly and that are wrong now.
 *
 * @param earlier round → its answers to the validation questions; rounds that were set aside left out
 * @returns by type in alphabetical order; empty when there is no earlier round
 */
export function findForgotten(earlier: ReadonlyMap<number, readonly Answered[]>, now: readonly Answered[]): Forgetting {
  const types = [...new Set(now.map(({ question_type }) => question_type))].sort();
  const wrongNow = new Set(now.filter((answer) => !isRight(answer)).map(({ question_id }) => question_id));
  const forgotten: Forgetting = emptyRecord();
  for (const type of types) {
    let best: { round: number; right: string[] } | undefined;
    for (const [round, answers] of [...earlier].sort(([left], [right]) => left - right)) {
      const ofType = answers.filter((answer) => answer.question_type === type && isRight(answer));
      const right = ofType.map(({ question_id }) => question_id);
      if (best === undefined || right.length >= best.right.length) best = { round, right };
    }
    if (best === undefined) continue;
    const lost = best.right.filter((id) => wrongNow.has(id));
    forgotten[type] = { bestRound: best.round, right: best.right.length, lost: lost.length, questions: lost };
  }
  return forgotten;
}

/** Of all types together. */
export function sumForgotten(forgotten: Forgetting): { right: number; lost: number } {
  const all = Object.values(forgotten);
  return {
    right: all.reduce((sum, { right }) => sum + right, 0),
    lost: all.reduce((sum, { lost }) => sum + lost, 0),
  };
}
