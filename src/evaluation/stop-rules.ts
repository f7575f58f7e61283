/**
 * The rules that end a run, other than the number of rounds, which the workflow counts.
 */
import { isRight } from './bad-cases.ts';
import type { Answered } from './round-comparison.ts';
import { mcNemarWorse } from './statistics/paired-tests.ts';

export const stopRules = ['rounds', 'target', 'plateau', 'budget', 'nothing-new'] as const;

/** Why a run ends. */
export interface Stop {
  rule: (typeof stopRules)[number];
  /** In words for a person. */
  reason: string;
}

export interface StopInput {
  targetScore?: number | undefined;
  /** Absent while there are fewer rounds. */
  plateau?:
    | {
        rounds: number;
        /** Of the gain. */
        level: number;
        /** The last good round before these rounds and now, with their answers. */
        before: { round: number; answers: readonly Answered[] };
        now: { round: number; answers: readonly Answered[] };
      }
    | undefined;
  budget?: { limit: number; spent: number; currency: string } | undefined;
  /** Of the last good round's model, in percent. */
  score: number;
}

/** The first rule that ends the run: target, plateau, budget. */
export function findStop({ targetScore, plateau, budget, score }: StopInput): Stop | undefined {
  if (targetScore !== undefined && score >= targetScore) {
    return {
      rule: 'target',
      reason: `${score.toFixed(1)} % on the validation questions reach the target of ${targetScore} %`,
    };
  }
  if (plateau !== undefined && !isGain(plateau)) {
    const { rounds, before, now } = plateau;
    const attempts = rounds === 1 ? 'the last round' : `the last ${rounds} rounds`;
    const what =
      before.round === now.round
        ? `none of ${attempts} was built upon`
        : `round ${now.round} is not significantly better than round ${before.round}`;
    return { rule: 'plateau', reason: `${attempts} had no significant gain: ${what}` };
  }
  if (budget !== undefined && budget.spent >= budget.limit) {
    const { spent, limit, currency } = budget;
    return { rule: 'budget', reason: `${spent.toFixed(2)} of ${limit.toFixed(2)} ${currency} are spent` };
  }
  return undefined;
}

function isGain({ before, now, level }: NonNullable<StopInput['plateau']>): boolean {
  if (before.round === now.round) return false;
  const was = new Map(before.answers.map((answer) => [answer.question_id, isRight(answer)]));
  const lost = now.answers.filter((answer) => was.get(answer.question_id) === true && !isRight(answer)).length;
  const won = now.answers.filter((answer) => was.get(answer.question_id) === false && isRight(answer)).length;
  // The older model's losses against the newer one: small when the newer one is better.
  return won > lost && mcNemarWorse(won, lost) <= level;
}
