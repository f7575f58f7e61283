/**
 * McNemar's exact test of two models on the same questions: if neither were better, each question that only one of
 * them got right would be the first's or the second's with equal chance.
 *
 * @param onlyFirst questions that only the first got right
 * @param onlySecond questions that only the second got right
 * @returns the two-sided p-value, 1 where they never differ
 */
export function mcNemarExact(onlyFirst: number, onlySecond: number): number {
  const trials = onlyFirst + onlySecond;
  const fewer = Math.min(onlyFirst, onlySecond);
  // The probability of each count from the one before it, in logarithms: 2^-trials alone is too small for large counts.
  let logProbability = -trials * Math.LN2;
  let tail = 0;
  for (let successes = 0; successes <= fewer; successes++) {
    tail += Math.exp(logProbability);
    logProbability += Math.log(trials - successes) - Math.log(successes + 1);
  }
  return Math.min(1, 2 * tail);
}
