import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { alignTypes, typeAgreement } from '../../src/evaluation/type-agreement.ts';

const sorted = (types: Record<string, string>) => new Map(Object.entries(types));

test('agreement is counted over what both have sorted, by type, with what was mixed up', () => {
  const reference = sorted({ q1: 'scene', q2: 'scene', q3: 'scene', q4: 'color', q5: 'color' });
  const found = sorted({ q1: 'scene', q2: 'color', q3: 'color', q4: 'color', q6: 'scene' });
  expect(typeAgreement(reference, found)).toEqual({
    questions: 4,
    agreed: 2,
    share: 0.5,
    // By chance 3/4 x 1/4 + 1/4 x 3/4 would agree.
    kappa: (0.5 - 0.375) / (1 - 0.375),
    byType: { color: { questions: 1, agreed: 1 }, scene: { questions: 3, agreed: 1 } },
    confusions: [{ reference: 'scene', found: 'color', questions: 2 }],
  });
});

test('full agreement is 1, and of nothing 0', () => {
  const all = sorted({ q1: 'scene', q2: 'color' });
  expect(typeAgreement(all, all)).toMatchObject({ share: 1, kappa: 1, confusions: [] });
  expect(typeAgreement(all, new Map())).toMatchObject({ questions: 0, share: 0 });
});

describe('types with names of their own', () => {
  const align = (reference: string, found: string) => {
    const map = (types: string) => new Map([...types].map((type, index) => [String(index), type]));
    return [...alignTypes(map(reference), map(found)).values()].join(' ');
  };

  test('are assigned one to one, so that most questions agree', () => {
    expect(align('aabbcc', 'xxyyzz')).toBe('a a b b c c');
    // Most of both are a's, but only y has b's: five agree, where y as a would leave three.
    expect(align('aaaaabb', 'xxxyyyy')).toBe('a a a b b b b');
  });

  test('a type too many agrees with none', () => {
    expect(align('aaab', 'xxyz')).toBe('a a y (no counterpart) b');
  });

  test('as a full search finds it', () => {
    const random = seededRandom('assignment');
    for (let trial = 0; trial < 30; trial += 1) {
      const draw = (letters: string) => Array.from({ length: 40 }, () => random.pick([...letters])).join('');
      const [reference, found] = [draw('abcd'), draw('wxyz')];
      const agreed = align(reference, found)
        .split(' ')
        .filter((type, index) => type === reference[index]).length;
      const best = permutations([...'abcd']).map((names) => {
        const nameOf = new Map([...'wxyz'].map((type, index) => [type, names[index]]));
        return [...found].filter((type, index) => nameOf.get(type) === reference[index]).length;
      });
      expect(agreed).toBe(Math.max(...best));
    }
  });
});

function permutations(items: string[]): string[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));
}
