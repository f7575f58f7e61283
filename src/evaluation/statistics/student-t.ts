/** Means of a few independent measurements, such as runs with different seeds, with Student's t. */
import { tCdf, tQuantile } from './distributions.ts';

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The 95 percent confidence interval of the mean; from minus to plus infinity for a single value. */
export function confidenceInterval(values: readonly number[]): [low: number, high: number] {
  const center = mean(values);
  if (values.length < 2) return [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const half = (tQuantile(0.975, values.length - 1) * standardDeviation(values)) / Math.sqrt(values.length);
  return [center - half, center + half];
}

/** Of a sample: by one less than the number of values. NaN for fewer than two. */
export function standardDeviation(values: readonly number[]): number {
  const center = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1));
}

/**
 * The paired t test: whether differences, one for each seed, have another mean than 0.
 *
 * @returns the two-sided p-value; 1 for fewer than two differences, which say nothing, and where all are 0
 */
export function pairedTTest(differences: readonly number[]): number {
  if (differences.length < 2 || differences.every((difference) => difference === 0)) return 1;
  const deviation = standardDeviation(differences);
  if (deviation === 0) return 0;
  const t = mean(differences) / (deviation / Math.sqrt(differences.length));
  return 2 * tCdf(-Math.abs(t), differences.length - 1);
}
