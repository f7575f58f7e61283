import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';

const draw = (seed: number | string, count = 5) => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random.uniform());
};

describe('seededRandom', () => {
  it('gives the same numbers for the same seed, on every machine', () => {
    expect(draw(1)).toEqual(draw(1));
    expect(seededRandom(1).integer(1_000_000)).toBe(688_446);
  });

  it('gives unrelated numbers for neighboring seeds, and for a number and its text', () => {
    const firsts = new Set([...Array.from({ length: 100 }, (_, seed) => draw(seed, 1)[0]), draw('1', 1)[0]]);
    expect(firsts.size).toBe(101);
  });

  it('spreads integers evenly over their range', () => {
    const random = seededRandom('spread');
    const counts = Array.from({ length: 6 }, () => 0);
    for (let draws = 0; draws < 60_000; draws += 1) {
      const drawn = random.integer(6);
      counts[drawn] = (counts[drawn] as number) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  });

  it('refuses a range without numbers and an empty choice', () => {
    expect(() => seededRandom(1).integer(0)).toThrow(RangeError);
    expect(() => seededRandom(1).pick([])).toThrow(RangeError);
  });

  it('picks by weight, and never what has weight zero', () => {
    const random = seededRandom(3);
    const counts = { often: 0, seldom: 0, never: 0 };
    for (let draws = 0; draws < 10_000; draws += 1) {
      counts[random.pickWeighted(['often', 'seldom', 'never'] as const, [0.9, 0.1, 0])] += 1;
    }
    expect(counts.never).toBe(0);
    expect(Math.abs(counts.often - 9_000)).toBeLessThan(150);
  });

  it.each([
    ['no positive weight', [0, 0]],
    ['a negative weight', [1, -1]],
    ['a weight that is not a number', [1, Number.NaN]],
    ['fewer weights than items', [1]],
  ])('refuses %s', (_, weights) => {
    expect(() => seededRandom(1).pickWeighted(['a', 'b'], weights)).toThrow(RangeError);
  });

  it('shuffles into every order equally often and leaves the given array alone', () => {
    const random = seededRandom(5);
    const items = Object.freeze(['a', 'b', 'c']);
    const counts = new Map<string, number>();
    for (let draws = 0; draws < 12_000; draws += 1) {
      const order = random.shuffle(items).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 2_000)).toBeLessThan(200);
  });

  it('forks by label alone, whatever was drawn before', () => {
    const fresh = seededRandom(7);
    const used = seededRandom(7);
    used.shuffle([1, 2, 3, 4]);
    expect(used.fork('mixture').uniform()).toBe(fresh.fork('mixture').uniform());
    expect(fresh.fork('mixture').uniform()).not.toBe(fresh.fork('sampling').uniform());
    expect(fresh.fork(1).uniform()).not.toBe(fresh.fork('1').uniform());
    expect(fresh.fork('a').fork('b').uniform()).not.toBe(fresh.fork('a/"b"').uniform());
  });
});
