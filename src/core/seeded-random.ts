import { hash } from 'node:crypto';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/** A stream of random numbers that is the same on every machine for the same seed. */
export interface SeededRandom {
  /** A number in [0, 1), 53 random bits. */
  uniform(): number;
  /** An integer in [0, exclusiveMaximum). */
  integer(exclusiveMaximum: number): number;
  /** One of the items, each as likely as the others. */
  pick<T>(items: readonly T[]): T;
  /** One of the items, each as likely as its weight among the weights (none negative, some positive). */
  pickWeighted<T>(items: readonly T[], weights: readonly number[]): T;
  /** The items in a random order; the given array stays as it is. */
  shuffle<T>(items: readonly T[]): T[];
  /** An independent stream. It depends on the seed and the label alone, not on how much was drawn before. */
  fork(label: string | number): SeededRandom;
}

/**
 * Makes a stream of random numbers from a seed (xoroshiro128+, its whole state filled from a hash of the
 * seed, so that neighbouring seeds give unrelated streams).
 *
 * @example
 * const random = seededRandom(1);
 * random.fork('mixture').shuffle(['a', 'b', 'c']);
 */
export function seededRandom(seed: number | string): SeededRandom {
  return fromKey(JSON.stringify(seed));
}

function fromKey(key: string): SeededRandom {
  const digest = hash('sha256', key, 'buffer');
  const generator = xoroshiro128plusFromState([0, 4, 8, 12].map((offset) => digest.readInt32LE(offset)));

  const uniform = () => uniformFloat64(generator);

  const integer = (exclusiveMaximum: number) => {
    if (!Number.isSafeInteger(exclusiveMaximum) || exclusiveMaximum < 1) {
      throw new RangeError(`A random integer below ${exclusiveMaximum} does not exist`);
    }
    return uniformInt(generator, 0, exclusiveMaximum - 1);
  };

  const pick = <T>(items: readonly T[]): T => items[integer(items.length)] as T;

  const pickWeighted = <T>(items: readonly T[], weights: readonly number[]): T => {
    if (items.length !== weights.length) {
      throw new RangeError(`${items.length} items have ${weights.length} weights`);
    }
    if (weights.some((weight) => !(weight >= 0 && weight < Infinity))) {
      throw new RangeError('A weight is a finite number, not negative');
    }
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (total <= 0) throw new RangeError('At least one weight must be positive');
    const target = uniform() * total;
    let reached = 0;
    let lastPossible = 0;
    for (const [index, weight] of weights.entries()) {
      if (weight === 0) continue;
      reached += weight;
      lastPossible = index;
      if (target < reached) return items[index] as T;
    }
    // Rounding can leave the sum a hair below the total.
    return items[lastPossible] as T;
  };

  const shuffle = <T>(items: readonly T[]): T[] => {
    const shuffled = [...items];
    for (let last = shuffled.length - 1; last > 0; last -= 1) {
      const other = integer(last + 1);
      [shuffled[last], shuffled[other]] = [shuffled[other] as T, shuffled[last] as T];
    }
    return shuffled;
  };

  const fork = (label: string | number) => fromKey(`${key}/${JSON.stringify(label)}`);

  return { uniform, integer, pick, pickWeighted, shuffle, fork };
}
