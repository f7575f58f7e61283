/**
 * Whether a round's model is worse than the one that it would replace.
 */

import { z } from 'zod';
import { valueIn } from '../core/records.ts';
import { type ChosenAnswer, type EvaluatedQuestion, isRight } from './bad-cases.ts';
import { holmAdjusted, mcNemarWorse } from './statistics/paired-tests.ts';

/** The fields of an answered question that the comparison uses. */
export type Answered = Pick<EvaluatedQuestion, 'question_id' | 'question_type'> & ChosenAnswer;

const pairSchema = z.object({
  /** Questions that both models answered. */
  questions: z.number(),
  /** Number of correct answers of each. */
  rightBefore: z.number(),
  rightNow: z.number(),
  /** Right before and wrong now, and the reverse. */
  lost: z.number(),
  won: z.number(),
  /** McNemar's exact test that it got worse, one-sided; of a type, corrected by Holm for all types tested at once. */
  pValue: z.number(),
  /** The tolerated drop, as a share of the questions. */
  tolerance: z.number(),
  /** Whether the drop is larger than the tolerance and significant. */
  worse: z.boolean(),
});

/** The content of `comparison.json` about two rounds. */
export const roundComparisonSchema = z.object({
  overall: pairSchema,
  byType: z.record(z.string(), pairSchema),
});

export type PairComparison = z.output<typeof pairSchema>;
export type RoundComparison = z.output<typeof roundComparisonSchema>;

export interface WorseSettings {
  level: number;
  tolerance: number;
  typeTolerance: number;
  typeTolerances: Readonly<Record<string, number>>;
}

/**
 * Compares the answers of two models question by question, overall and by question type.
 *
 * A model counts as worse where McNemar's exact test, one-sided, is significant at the level, and the drop is beyond the
 * tolerance: neither a significant drop of two questions in ten thousand nor a large one in four questions is enough. All
 * questions together are tested at the level; the types, tested at once, at the level after Holm's correction: the more
 * types there are, the stronger the evidence for one of them has to be.
 */
export function compareRounds(
  before: readonly Answered[],
  now: readonly Answered[],
  settings: WorseSettings,
): RoundComparison {
  const earlier = new Map(before.map((answer) => [answer.question_id, isRight(answer)]));
  const pairs = now.flatMap((answer) => {
    const was = earlier.get(answer.question_id);
    return was === undefined ? [] : [{ type: answer.question_type, was, is: isRight(answer) }];
  });
  const types = [...new Set(pairs.map(({ type }) => type))].sort();
  const counted = types.map((type) => count(pairs.filter((pair) => pair.type === type)));
  const adjusted = holmAdjusted(counted.map(({ pValue }) => pValue));
  const byType = types.map((type, index): [string, PairComparison] => {
    const tolerance = valueIn(settings.typeTolerances, type) ?? settings.typeTolerance;
    return [
      type,
      judge({ ...(counted[index] as Counts), pValue: adjusted[index] as number }, tolerance, settings.level),
    ];
  });
  return { overall: judge(count(pairs), settings.tolerance, settings.level), byType: Object.fromEntries(byType) };
}

/** Whether the gate sets the round aside: it is worse over all questions, or in a type. */
export function isWorse({ overall, byType }: RoundComparison): boolean {
  return overall.worse || Object.values(byType).some(({ worse }) => worse);
}

type Counts = Omit<PairComparison, 'tolerance' | 'worse'>;

function count(pairs: readonly { was: boolean; is: boolean }[]): Counts {
  const lost = pairs.filter(({ was, is }) => was && !is).length;
  const won = pairs.filter(({ was, is }) => !was && is).length;
  const rightBefore = pairs.filter(({ was }) => was).length;
  return {
    questions: pairs.length,
    rightBefore,
    rightNow: rightBefore - lost + won,
    lost,
    won,
    pValue: mcNemarWorse(lost, won),
  };
}

function judge(counts: Counts, tolerance: number, level: number): PairComparison {
  const drop = counts.questions === 0 ? 0 : (counts.lost - counts.won) / counts.questions;
  return { ...counts, tolerance, worse: drop > tolerance && counts.pValue <= level };
}
