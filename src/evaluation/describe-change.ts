/**
 * What a round's change of score means, in words: one sentence for the decision, the report, the terminal and the details in
 * Temporal's UI.
 */
import type { PairComparison, RoundComparison } from './round-comparison.ts';
import { mcNemarWorse } from './statistics/paired-tests.ts';

/**
 * What a change is: `unclear` where chance may explain it, or nothing has changed. Without a test (level 1) its direction decides.
 *
 * @param level of the test
 */
export function verdictOn({ won, lost, pValue, worse }: PairComparison, level: number): 'better' | 'worse' | 'unclear' {
  if (won === lost) return 'unclear';
  if (won > lost) return level >= 1 || mcNemarWorse(won, lost) <= level ? 'better' : 'unclear';
  return level >= 1 || worse || pValue <= level ? 'worse' : 'unclear';
}

/**
 * `drop of 12.5 points is not significant (p 0.25, 16 questions)`. The p-value is that of McNemar's exact test, one-sided, in
 * the direction of the change.
 *
 * @param level of the test
 */
export function describeChange(pair: PairComparison, level: number): string {
  const { questions, lost, won, tolerance, worse } = pair;
  if (questions === 0) return 'no question was answered by both models';
  const counted = `${questions.toLocaleString('en-US')} ${questions === 1 ? 'question' : 'questions'}`;
  if (lost === won)
    return lost === 0 ? `no answer changed (${counted})` : `no change (${won} won, ${lost} lost of ${counted})`;
  const size = `${((100 * Math.abs(won - lost)) / questions).toFixed(1)} points`;
  const facts = (pValue: number) => `(${describeP(pValue)}, ${counted})`;
  if (won > lost) {
    const pValue = mcNemarWorse(won, lost);
    const verdict = level >= 1 ? '' : ` is ${verdictOn(pair, level) === 'better' ? '' : 'not '}significant`;
    return `gain of ${size}${verdict} ${facts(pValue)}`;
  }
  const isTolerated = pair.pValue <= level && !worse;
  if (isTolerated)
    return `drop of ${size} is within the tolerance of ${(100 * tolerance).toFixed(1)} ${facts(pair.pValue)}`;
  // The tolerance alone decides.
  if (level >= 1)
    return `drop of ${size} is beyond the tolerance of ${(100 * tolerance).toFixed(1)} ${facts(pair.pValue)}`;
  return `drop of ${size} is ${worse ? '' : 'not '}significant ${facts(pair.pValue)}`;
}

/**
 * The change over all questions, then each question type that got worse, the strongest evidence first:
 * `gain of 2.0 points is not significant (p 0.3, 400 questions); counting got worse: 50.0 % → 10.0 % (p 0.0039)`.
 */
export function describeComparison({ overall, byType }: RoundComparison, level: number): string {
  const types = Object.entries(byType).filter(([, pair]) => pair.worse);
  types.sort(([, left], [, right]) => left.pValue - right.pValue);
  const worse = types.map(([type, { questions, rightBefore, rightNow, pValue }]) => {
    const share = (right: number) => `${((100 * right) / questions).toFixed(1)} %`;
    return `${type} got worse: ${share(rightBefore)} → ${share(rightNow)} (${describeP(pValue)})`;
  });
  return [describeChange(overall, level), ...worse].join('; ');
}

/** `p 0.25`, `p 0.0039`, `p < 0.001` */
export function describeP(pValue: number): string {
  return pValue < 0.001 ? 'p < 0.001' : `p ${Number(pValue.toPrecision(2))}`;
}

/**
 * The fewest questions of a type with which the gate could ever call it worse: were all of them lost, the test's p-value is
 * 2^-questions, which Holm's correction multiplies by the number of types tested at once.
 *
 * @param level of the test; 1 leaves the decision to the tolerance, and one question is enough
 */
export function fewestQuestions(level: number, types = 1): number {
  // No corrected p-value is larger than 1.
  if (level >= 1) return 1;
  return Math.max(1, Math.ceil(Math.log2(types / level) - 1e-9));
}
