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
 * Questions about one image are right or wrong together, so that drawing them apart makes the interval too narrow: where
 * images repeat, whole images are drawn with all of their questions (the cluster bootstrap; Davison and Hinkley 1997,
 * section 3.8). It keeps the interval within the scores' bounds and needs no normality, other than cluster-robust errors.
 *
 * @param scores one per question; without any, the mean and its interval are 0
 * @param images the image of each question; default: each has one of its own
 */
export function bootstrapMean(
  scores: readonly number[],
  { samples, seed }: BootstrapSettings,
  images: readonly ImageOfQuestion[] = [],
): Estimate {
  const count = scores.length;
  if (count === 0) return { value: 0, low: 0, high: 0 };
  const value = scores.reduce((sum, score) => sum + score, 0) / count;
  if (scores.every((score) => score === scores[0])) return { value, low: value, high: value };
  const random = seededRandom(seed);
  if (repeats(images)) return { value, ...intervalByImage(sumsByImage(scores, images), samples, random) };
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

/** What says which image a question is about, such as its number; undefined for a question without another about its image. */
export type ImageOfQuestion = number | undefined;

/** Whether several questions are about one image. */
export function repeats(images: readonly ImageOfQuestion[]): boolean {
  const known = images.filter((image) => image !== undefined);
  return new Set(known).size < known.length;
}

/** Of each image, the sum of its questions' scores and how many they are. */
export function sumsByImage(
  scores: readonly number[],
  images: readonly ImageOfQuestion[],
): { sum: number; count: number }[] {
  const sums = new Map<number | string, { sum: number; count: number }>();
  for (const [index, score] of scores.entries()) {
    const image = images[index] ?? `question ${index}`;
    const soFar = sums.get(image) ?? { sum: 0, count: 0 };
    sums.set(image, { sum: soFar.sum + score, count: soFar.count + 1 });
  }
  return [...sums.values()];
}

function intervalByImage(
  images: readonly { sum: number; count: number }[],
  samples: number,
  random: { uniform(): number },
): Pick<Estimate, 'low' | 'high'> {
  const means = new Float64Array(samples);
  for (let sample = 0; sample < samples; sample++) {
    let [sum, count] = [0, 0];
    for (let draw = 0; draw < images.length; draw++) {
      const drawn = images[Math.floor(random.uniform() * images.length)] as { sum: number; count: number };
      sum += drawn.sum;
      count += drawn.count;
    }
    means[sample] = sum / count;
  }
  means.sort();
  return { low: quantile(means, LOWER), high: quantile(means, UPPER) };
}

/**
 * Any statistic of items with its 95 % confidence interval by the percentile bootstrap: the items are drawn with replacement
 * for each resample. The same seed gives the same interval.
 *
 * @param items at least one
 */
export function bootstrapStatistic<Item>(
  items: readonly Item[],
  statistic: (drawn: readonly Item[]) => number,
  { samples, seed }: BootstrapSettings,
): Estimate {
  const value = statistic(items);
  const random = seededRandom(seed);
  const found = new Float64Array(samples);
  const drawn = [...items];
  for (let sample = 0; sample < samples; sample++) {
    for (let place = 0; place < items.length; place++) {
      drawn[place] = items[Math.floor(random.uniform() * items.length)] as Item;
    }
    found[sample] = statistic(drawn);
  }
  found.sort();
  return { value, low: quantile(found, LOWER), high: quantile(found, UPPER) };
}

/** Linear between the two nearest ranks, as NumPy's default. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (high - low) * (place - below);
}
