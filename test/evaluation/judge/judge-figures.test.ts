import { describe, expect, test } from 'vitest';
import { describeJudge } from '../../../src/evaluation/judge/describe-judge.ts';
import { cohensKappa, joinJudged, rankCorrelation } from '../../../src/evaluation/judge/judge-figures.ts';
import type { JudgePlan } from '../../../src/evaluation/judge/judge-requests.ts';

const bootstrap = { samples: 500, seed: 1 };
const labels = (both: number, one: number, other: number, neither: number) => [
  ...Array.from({ length: both }, () => ({ one: true, other: true })),
  ...Array.from({ length: one }, () => ({ one: true, other: false })),
  ...Array.from({ length: other }, () => ({ one: false, other: true })),
  ...Array.from({ length: neither }, () => ({ one: false, other: false })),
];

describe('the statistics', () => {
  test('kappa is agreement beyond chance', () => {
    // The example of https://en.wikipedia.org/wiki/Cohen%27s_kappa: 0.7 agree, 0.5 by chance.
    expect(cohensKappa(labels(20, 5, 10, 15))).toBeCloseTo(0.4, 12);
    expect(cohensKappa(labels(3, 0, 0, 3))).toBe(1);
    expect(cohensKappa(labels(5, 0, 0, 0))).toBe(0);
  });

  test("the rank correlation is scipy's, ties included", () => {
    // scipy.stats.spearmanr([1, 2, 2, 4, 9], [1, 3, 2, 2, 5]).statistic
    expect(rankCorrelation([1, 2, 2, 4, 9], [1, 3, 2, 2, 5])).toBeCloseTo(0.7631578947368421, 12);
    expect(rankCorrelation([1, 2, 3], [3, 2, 1])).toBe(-1);
    expect(rankCorrelation([1, 2, 3], [5, 5, 5])).toBe(0);
  });
});

/** Ten answers `a0` to `a9`, each checked and labelled. */
const plan: JudgePlan = {
  set: 'test',
  rubric: 'judge-v1',
  requests: [],
  scored: [
    ...Array.from({ length: 10 }, (_, index) => ({ question: `q${index}`, length: 10 + index, request: `a${index}` })),
    { question: 'empty', length: 0 },
  ],
  checked: Array.from({ length: 10 }, (_, index) => ({
    plain: `a${index}`,
    swapped: `s${index}`,
    padded: `p${index}`,
  })),
  labelled: Array.from({ length: 10 }, (_, index) => ({ request: `l${index}`, isRight: index < 5 })),
};
const allScores = (scoreOf: (index: number) => Partial<Record<'a' | 's' | 'p' | 'l', number>>) =>
  new Map(
    Array.from({ length: 10 }, (_, index) => index).flatMap((index) =>
      Object.entries(scoreOf(index)).map(([kind, score]): [string, number] => [`${kind}${index}`, score]),
    ),
  );

test('figures: agreement with labels, flips by order, padding and length, each with its interval', () => {
  // The judge prefers long answers, is right about 8 of 10 labels, and changes its mind about two when they stand first.
  const scoreOf = allScores((index) => ({
    a: index / 12,
    s: index === 6 || index === 7 ? 0.25 : index / 12,
    p: Math.min(1, index / 12 + 0.25),
    l: index < 4 || index === 9 ? 1 : 0.25,
  }));
  const { scores, figures } = joinJudged(plan, scoreOf, { model: 'gpt', bootstrap });
  expect([scores.size, scores.get('q6'), scores.get('empty')]).toEqual([11, 0.5, 0]);
  expect(figures).toMatchObject({ model: 'gpt', rubric: 'judge-v1', judged: 11, unjudged: 0 });
  expect(figures.labelled).toMatchObject({ count: 10, accuracy: { value: 0.8 } });
  expect(figures.labelled?.kappa.value).toBeCloseTo(0.6, 12);
  expect(figures.labelled?.kappa.low).toBeLessThan(0.4);
  expect(figures.labelled?.kappa.high).toBeGreaterThan(0.8);
  expect(figures.position).toMatchObject({ count: 10, flips: { value: 0.2 } });
  expect(figures.position?.change.value).toBeCloseTo((0.25 - 0.5 + 0.25 - 7 / 12) / 10, 12);
  expect(figures.length?.correlation.value).toBe(1);
  expect(figures.padding?.padded.value).toBeCloseTo((figures.padding?.plain.value ?? 0) + 0.25, 12);
  expect(figures.padding?.flips.value).toBe(0.3);
  const words = describeJudge(figures).map(({ label, text }) => `${label}: ${text}`);
  expect(words[0]).toBe('judge: gpt, judge-v1: 11 answers');
  expect(words[1]).toMatch(/^agreement with people: 80\.0 % \(\d+\.\d to \d+\.\d\) of 10, kappa 0\.60 \(/);
  expect(words.join('\n')).toContain('the answer before the right ones: 20.0 %');
});

test('an answer without a readable reply has no score, and is counted', () => {
  const { scores, figures } = joinJudged(
    plan,
    allScores((index) => (index === 3 ? {} : { a: 1 })),
    {
      model: 'gpt',
      bootstrap,
    },
  );
  expect([scores.size, scores.has('q3'), figures.unjudged]).toEqual([10, false, 1]);
  expect(figures).not.toHaveProperty('labelled');
  expect(figures).not.toHaveProperty('position');
  expect(describeJudge(figures)[0]?.text).toBe('gpt, judge-v1: 10 answers, 1 without a score');
});
