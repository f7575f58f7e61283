import { seededRandom } from '../../core/seeded-random.ts';

/** A mean and the interval that its 95 % bootstrap resamples lie in. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
}

export interface BootstrapSettings {
  /** Number of resamples. */
  samples: number;
  seed: number | string;
}

const LOWER = 0.025;
const UPPER = 0.975;

/**
 * Mean of scores with its 95 % confidence interval by the percentile bootstrap (Efron 1979): the questions are
 * drawn with replacement for each resample. The same seed gives the same interval.
 *
 * Of paired differences of two models' scores it is the paired bootstrap (Koehn 2004).
 *
 * @param scores one per question; without any, the mean and its interval are 0
 */
export function bootstrapMean(scores: readonly number[], { samples, seed }: BootstrapSettings): Estimate {
  const count = scores.length;
  if (count === 0) return { value: 0, low: 0, high: 0 };
  const value = scores.reduce((sum, score) => sum + score, 0) / count;
  if (scores.every((score) => score === scores[0])) return { value, low: value, high: value };
  const random = seededRandom(seed);
  const drawn = Float64Array.from(scores);
  const means = new Float64Array(samples);
  for (let sample = 0; sample < samples; sample++) {
    let sum = 0;
    for (let draw = 0; draw < count; draw++) sum += drawn[Math.floor(random.uniform() * count)] as number;
    means[sample] = sum / count;
  }
  means.sort();
  return { value, low: quantile(means, LOWER), high: quantile(means, UPPER) };
}

/** Linear between the two nearest ranks, as NumPy's default. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (high - low) * (place - below);
}
