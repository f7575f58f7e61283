/**
 * How many questions, and how many seeds, it takes to find a difference between two models.
 */
import { logFactorial, normalCdf, normalQuantile, tCdf, tQuantile } from './distributions.ts';

/** What the test is asked to do. */
export interface TestSettings {
  /** Probability of a difference where there is none, two-sided. */
  level: number;
  /** Probability that a difference of the planned size is found. */
  power: number;
}

/** Two models on the same questions. All values are shares of the questions. */
export interface PairedQuestions {
  /** By how much the second is better; not 0. */
  difference: number;
  /** Questions that only one of the two answers correctly: at least the difference. */
  disagreement: number;
}

/** Above so many disagreements the exact test and its normal approximation have the same power to 0.002. */
const exactUpTo = 20_000;

/**
 * The probability that McNemar's exact test, two-sided, finds the difference in so many questions: over all numbers of
 * disagreements that may occur (the unconditional power). With very many questions, by the normal approximation (Connor
 * 1987).
 */
export function powerOfQuestions(questions: number, pairs: PairedQuestions, level: number): number {
  const { difference, disagreement } = pairs;
  if (questions * disagreement > exactUpTo) return approximatePower(questions, pairs, level);
  const share = (disagreement + Math.abs(difference)) / (2 * disagreement);
  const spread = 9 * Math.sqrt(questions * disagreement * (1 - disagreement)) + 9;
  const mean = questions * disagreement;
  const [fewest, most] = [Math.max(0, Math.floor(mean - spread)), Math.min(questions, Math.ceil(mean + spread))];
  let total = 0;
  let critical = -1;
  for (let count = fewest; count <= most; count += 1) {
    critical = criticalCount(count, level, critical);
    if (critical < 0) continue;
    const probability = binomial(count, questions, disagreement);
    if (probability === 0) continue;
    total += probability * (atMost(critical, count, share) + atMost(critical, count, 1 - share));
  }
  return Math.min(1, total);
}

/** The fewest questions with which the test has the power. @throws RangeError for a disagreement below the difference */
export function questionsNeeded(pairs: PairedQuestions, { level, power }: TestSettings): number {
  requirePossible(pairs);
  const start = Math.max(2, Math.ceil(approximateQuestions(pairs, { level, power })));
  let high = start;
  while (powerOfQuestions(high, pairs, level) < power) high = Math.ceil(high * 1.1) + 1;
  let low = 1;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (powerOfQuestions(middle, pairs, level) < power) low = middle;
    else high = middle;
  }
  return high;
}

/** The smallest difference that so many questions find with the power; undefined where not even the largest is found. */
export function differenceFound(
  questions: number,
  disagreement: number,
  { level, power }: TestSettings,
  { powerOf = powerOfQuestions, largest = disagreement } = {},
): number | undefined {
  const isFound = (difference: number) => powerOf(questions, { difference, disagreement }, level) >= power;
  if (largest === 0 || !isFound(largest)) return undefined;
  let [low, high] = [0, largest];
  while (high - low > 1e-5) {
    const middle = (low + high) / 2;
    if (isFound(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/**
 * By how much more questions it takes when several are about one image (Kish's design effect).
 *
 * @param perImage questions an image
 * @param correlation of the models' differences on two questions about one image, 0 to 1
 */
export function designEffect(perImage: number, correlation: number): number {
  return 1 + (perImage - 1) * correlation;
}

/**
 * The probability that the paired t test, two-sided, finds a difference in runs with so many seeds, each with both ways of
 * training (noncentral t).
 *
 * @param effect the difference by the standard deviation, between seeds, of the differences
 */
export function powerOfSeeds(seeds: number, effect: number, level: number): number {
  if (seeds < 2) return 0;
  const degrees = seeds - 1;
  const noncentrality = Math.abs(effect) * Math.sqrt(seeds);
  const critical = tQuantile(1 - level / 2, degrees);
  return 1 - tCdf(critical, degrees, noncentrality) + tCdf(-critical, degrees, noncentrality);
}

/** The fewest seeds with which the paired t test has the power; undefined where ten thousand do not. */
export function seedsNeeded(effect: number, { level, power }: TestSettings): number | undefined {
  const most = 10_000;
  if (powerOfSeeds(most, effect, level) < power) return undefined;
  let [low, high] = [1, most];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (powerOfSeeds(middle, effect, level) < power) low = middle;
    else high = middle;
  }
  return high;
}

/** The smallest effect, in standard deviations, that so many seeds find with the power. */
export function effectFound(seeds: number, { level, power }: TestSettings): number | undefined {
  if (seeds < 2) return undefined;
  let [low, high] = [0, 1];
  while (powerOfSeeds(seeds, high, level) < power && high < 1e6) high *= 2;
  while (high - low > 1e-6 * high) {
    const middle = (low + high) / 2;
    if (powerOfSeeds(seeds, middle, level) < power) low = middle;
    else high = middle;
  }
  return high;
}

/**
 * The questions needed by the normal approximation, with the variance under each of the hypotheses (Connor 1987).
 *
 * @param pairs for scores between 0 and 1 the disagreement is the mean square of the differences
 */
export function approximateQuestions(
  { difference, disagreement }: PairedQuestions,
  { level, power }: TestSettings,
): number {
  const none = normalQuantile(1 - level / 2) * Math.sqrt(disagreement);
  const some = normalQuantile(power) * Math.sqrt(Math.max(0, disagreement - difference ** 2));
  return ((none + some) / difference) ** 2;
}

/** The power by the normal approximation (Connor 1987), for scores between 0 and 1 as in `approximateQuestions`. */
export function approximatePower(
  questions: number,
  { difference, disagreement }: PairedQuestions,
  level: number,
): number {
  const shift = Math.abs(difference) * Math.sqrt(questions);
  const critical = normalQuantile(1 - level / 2) * Math.sqrt(disagreement);
  const deviation = Math.sqrt(Math.max(1e-12, disagreement - difference ** 2));
  return normalCdf((shift - critical) / deviation) + normalCdf((-shift - critical) / deviation);
}

function requirePossible({ difference, disagreement }: PairedQuestions): void {
  if (difference !== 0 && disagreement >= Math.abs(difference) && disagreement <= 1) return;
  throw new RangeError(`A difference of ${difference} takes a disagreement of as much, at most 1, not ${disagreement}`);
}

/** The most of the rarer disagreements with which the test is significant; -1 where none are few enough. */
function criticalCount(count: number, level: number, from: number): number {
  let critical = Math.max(-1, from - 1);
  while (critical + 1 < count / 2 && 2 * atMost(critical + 1, count, 0.5) <= level) critical += 1;
  return critical;
}

/** P(X ≤ most) of a binomial distribution, from its largest summand downwards. */
function atMost(most: number, trials: number, share: number): number {
  if (share === 0) return 1;
  if (share === 1) return most >= trials ? 1 : 0;
  let term = binomial(most, trials, share);
  let sum = term;
  for (let count = most; count > 0; count -= 1) {
    term *= (count / (trials - count + 1)) * ((1 - share) / share);
    sum += term;
    if (term < 1e-17 * sum) break;
  }
  return Math.min(1, sum);
}

function binomial(count: number, trials: number, share: number): number {
  if (share === 0 || share === 1) return count === share * trials ? 1 : 0;
  const ways = logFactorial(trials) - logFactorial(count) - logFactorial(trials - count);
  return Math.exp(ways + count * Math.log(share) + (trials - count) * Math.log1p(-share));
}
