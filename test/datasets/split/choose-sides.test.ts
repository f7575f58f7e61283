import { expect, test } from 'vitest';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { chooseSides, type QuestionGroup } from '../../../src/datasets/split/choose-sides.ts';

const shares = [0.7, 0.1, 0.2];

/** Images with one to six questions each, of types from common to rare. */
function randomGroups(count: number, seed: number): QuestionGroup[] {
  const random = seededRandom(seed);
  const types = ['counting', 'color', 'place', 'action', 'text'];
  return Array.from({ length: count }, (_, index) => {
    const counts = new Map<string, number>();
    for (let question = 1 + random.integer(6); question > 0; question -= 1) {
      const type = random.pickWeighted(types, [50, 30, 12, 6, 2]);
      counts.set(type, (counts.get(type) ?? 0) + 1);
    }
    return { key: `image ${index}`, counts };
  });
}

function sharesByType(groups: readonly QuestionGroup[], sides: readonly number[]): Record<string, number[]> {
  const found: Record<string, number[]> = {};
  for (const [index, { counts }] of groups.entries()) {
    for (const [type, count] of counts) {
      found[type] ??= [0, 0, 0];
      const side = sides[index] as number;
      found[type][side] = (found[type][side] as number) + count;
    }
  }
  for (const [type, numbers] of Object.entries(found)) {
    const sum = numbers.reduce((left, right) => left + right);
    found[type] = numbers.map((number) => number / sum);
  }
  return found;
}

test.each([1, 2, 3, 4, 5])('each side has about its share of every type (%i)', (seed) => {
  const groups = randomGroups(300, seed);
  for (const found of Object.values(sharesByType(groups, chooseSides(groups, { shares, seed })))) {
    for (const [side, share] of found.entries()) expect(Math.abs(share - (shares[side] as number))).toBeLessThan(0.06);
  }
});

test('common types are divided to within one question in a hundred', () => {
  const groups = randomGroups(1000, 1);
  const { counting, color } = sharesByType(groups, chooseSides(groups, { shares, seed: 1 }));
  for (const found of [counting, color]) {
    for (const [side, share] of shares.entries()) expect(found?.[side]).toBeCloseTo(share, 2);
  }
});

test('sides depend on the seed and on what the groups are, not on their order', () => {
  const groups = randomGroups(100, 1);
  const sidesByKey = (some: readonly QuestionGroup[], seed: number) => {
    const sides = chooseSides(some, { shares, seed });
    return Object.fromEntries(some.map(({ key }, index) => [key, sides[index]]));
  };
  const first = sidesByKey(groups, 1);
  expect(sidesByKey(seededRandom(9).shuffle(groups), 1)).toEqual(first);
  expect(sidesByKey(groups, 2)).not.toEqual(first);
});

test('a group that is larger than the small sides is trained on; large groups are not all', () => {
  const group = (key: string, count: number) => ({ key, counts: new Map([['a', count]]) });
  const small = Array.from({ length: 60 }, (_, index) => group(`small ${index}`, 1));
  expect(chooseSides([group('huge', 40), ...small], { shares: [0.8, 0.1, 0.1], seed: 1 })[0]).toBe(0);
  const large = Array.from({ length: 10 }, (_, index) => group(`large ${index}`, 4));
  const sides = chooseSides([...small, ...large], { shares: [0.6, 0.2, 0.2], seed: 1 }).slice(60);
  expect(new Set(sides)).toEqual(new Set([0, 1, 2]));
});
