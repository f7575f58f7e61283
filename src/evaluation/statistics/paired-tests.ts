/**
 * McNemar's exact test of two models on the same questions: if neither were better, each question that only one of
 * them answered correctly would be the first's or the second's with equal probability.
 *
 * @param onlyFirst questions that only the first answered correctly
 * @param onlySecond questions that only the second answered correctly
 * @returns the two-sided p-value, 1 where they never differ
 */
export function mcNemarExact(onlyFirst: number, onlySecond: number): number {
  return Math.min(1, 2 * chanceOfAtMost(Math.min(onlyFirst, onlySecond), onlyFirst + onlySecond));
}

/**
 * The same test, one-sided: the probability of a loss as large as the second's, or larger, if it were as good as the
 * first. Small when the second is worse; 1 when it lost nothing.
 */
export function mcNemarWorse(onlyFirst: number, onlySecond: number): number {
  return Math.min(1, chanceOfAtMost(onlySecond, onlyFirst + onlySecond));
}

/** The probability of at most so many heads among tosses of a fair coin. */
function chanceOfAtMost(heads: number, tosses: number): number {
  // The probability of each count from the one before it, in logarithms: 2^-tosses alone is too small for large counts.
  let logProbability = -tosses * Math.LN2;
  let tail = 0;
  for (let count = 0; count <= heads; count++) {
    tail += Math.exp(logProbability);
    logProbability += Math.log(tosses - count) - Math.log(count + 1);
  }
  return tail;
}

/**
 * Holm's correction (1979) of the p-values of several tests: the probability of any false positive at a level is at most
 * that level, however the tests depend on one another.
 *
 * @returns the adjusted p-values, in the order given, each at least as large as the given one and at most 1
 */
export function holmAdjusted(pValues: readonly number[]): number[] {
  const order = pValues.map((_, index) => index).sort((left, right) => at(pValues, left) - at(pValues, right));
  const adjusted: number[] = [];
  let largest = 0;
  for (const [rank, index] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * at(pValues, index)));
    adjusted[index] = largest;
  }
  return adjusted;
}

function at(values: readonly number[], index: number): number {
  return values[index] as number;
}
