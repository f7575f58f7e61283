/** Means of a few independent measurements, such as runs with different seeds, with Student's t. */

/** For 95 percent, two-sided, by degrees of freedom from 1. */
const T95 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
const T95_MANY = 1.96;

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The 95 percent confidence interval of the mean; from minus to plus infinity for a single value. */
export function confidenceInterval(values: readonly number[]): [low: number, high: number] {
  const center = mean(values);
  if (values.length < 2) return [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const variance = values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1);
  const half = (T95[values.length - 2] ?? T95_MANY) * Math.sqrt(variance / values.length);
  return [center - half, center + half];
}
