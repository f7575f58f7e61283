import { expect, test } from 'vitest';
import { typeAgreement } from '../../src/evaluation/type-agreement.ts';

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
