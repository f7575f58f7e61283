import { seededRandom } from '../../core/seeded-random.ts';
import type { BootstrapSettings } from './bootstrap.ts';
import { logFactorial } from './distributions.ts';

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

/**
 * The sign-flip test (Fisher 1935): were neither model better, the difference of an image could as well have the other sign.
 * With one question an image that is right or wrong it is McNemar's exact test; with several, their differences change
 * signs together. Exact for whole numbers; of others, so many sign patterns are drawn.
 *
 * @param differences second minus first, summed over the questions of each image
 * @returns the two-sided p-value, 1 where they never differ
 */
export function signFlipTest(differences: readonly number[], { samples, seed }: BootstrapSettings): number {
  const sizes = differences.map(Math.abs).filter((size) => size > 0);
  const found = Math.abs(differences.reduce((sum, difference) => sum + difference, 0));
  if (sizes.length === 0) return 1;
  if (sizes.every(Number.isInteger)) return chanceOfSum(sizes, found);
  const random = seededRandom(`sign-flip/${seed}`);
  // Equal sums differ in their last bits by the order of the summands.
  const least = found - 1e-9;
  let asFar = 0;
  for (let sample = 0; sample < samples; sample++) {
    let sum = 0;
    for (const size of sizes) sum += random.uniform() < 0.5 ? size : -size;
    if (Math.abs(sum) >= least) asFar += 1;
  }
  return (asFar + 1) / (samples + 1);
}

/** The probability that whole numbers with random signs have a sum of at least that size. */
function chanceOfSum(sizes: readonly number[], least: number): number {
  const counts = new Map<number, number>();
  for (const size of sizes) counts.set(size, (counts.get(size) ?? 0) + 1);
  // Index → probability of the sum of those that are positive. The sum with signs is twice as much, less that of all.
  let chances = new Float64Array([1]);
  for (const [size, count] of counts) {
    const next = new Float64Array(chances.length + size * count);
    for (let positive = 0; positive <= count; positive++) {
      const ways = logFactorial(count) - logFactorial(positive) - logFactorial(count - positive);
      const chance = Math.exp(ways - count * Math.LN2);
      if (chance === 0) continue;
      for (const [index, before] of chances.entries()) {
        const at = index + size * positive;
        next[at] = (next[at] as number) + before * chance;
      }
    }
    chances = next;
  }
  const all = chances.length - 1;
  let total = 0;
  for (const [index, chance] of chances.entries()) if (Math.abs(2 * index - all) >= least) total += chance;
  return Math.min(1, total);
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
