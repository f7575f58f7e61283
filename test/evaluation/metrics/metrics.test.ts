/** Results of the official code (`test/fixtures/make-metrics-fixture.py`, which names the commits), on the same answers. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { metricNames, metricOf } from '../../../src/evaluation/metrics/index.ts';
import { readYesOrNo } from '../../../src/evaluation/metrics/short-answers.ts';
import { normalizeTextVqaAnswer, normalizeVqaAnswer } from '../../../src/evaluation/metrics/vqa-answers.ts';

const scored = z.array(
  z.object({
    answer: z.string(),
    references: z.array(z.string()),
    tolerance: z.number().optional(),
    score: z.number(),
  }),
);
const official = z
  .object({
    normalize: z.array(z.object({ text: z.string(), vqa: z.string(), textvqa: z.string() })),
    'vqa-accuracy': scored,
    'textvqa-accuracy': scored,
    anls: scored,
    'relaxed-accuracy': scored,
    'list-match': scored,
    'yes-no': z.array(z.object({ answer: z.string(), found: z.string() })),
  })
  .parse(JSON.parse(readFileSync('test/fixtures/metrics/official.json', 'utf8')));

const mainScore = (scores: Readonly<Record<string, number>>) => Object.values(scores)[0] as number;

test('texts are normalized as by VQA and by TextVQA, contraction by contraction', () => {
  const ours = official.normalize.map(({ text }) => ({
    text,
    vqa: normalizeVqaAnswer(text),
    textvqa: normalizeTextVqaAnswer(text),
  }));
  expect(ours).toEqual(official.normalize);
});

test.each(['vqa-accuracy', 'textvqa-accuracy', 'anls', 'relaxed-accuracy', 'list-match'] as const)(
  '%s equals the official code, answer by answer',
  (name) => {
    const { score } = metricOf(name);
    const differing = official[name].flatMap((row) => {
      const ours = mainScore(score(row.answer, row.references, { tolerance: row.tolerance }));
      return Math.abs(ours - row.score) < 1e-9 ? [] : [{ ...row, ours }];
    });
    expect(official[name].length).toBeGreaterThan(100);
    expect(differing).toEqual([]);
  },
);

test('a yes or a no is found as by VLMEvalKit', () => {
  const ours = official['yes-no'].map(({ answer }) => ({ answer, found: readYesOrNo(answer) ?? 'unknown' }));
  expect(ours).toEqual(official['yes-no']);
});

describe('exact match', () => {
  const { score } = metricOf('exact-match');
  test.each([
    ['The red bus.', ['blue', 'red bus'], 1],
    ['two', ['2'], 1],
    ['red', ['dark red'], 0],
    ['', ['red'], 0],
  ])('%j against %j scores %d', (answer, references, expected) => {
    expect(mainScore(score(answer, references))).toBe(expected);
  });
});

test('VQA accuracy refuses fewer references than an answer can reach 1 with', () => {
  expect(metricOf('vqa-accuracy').problem?.(['red', 'red', 'red'])).toContain('at least 4');
  expect(metricOf('vqa-accuracy').problem?.(['red', 'red', 'red', 'red'])).toBeUndefined();
});

test('yes-no refuses a reference that is neither', () => {
  expect(metricOf('yes-no').referenceProblem?.('Yes')).toBeUndefined();
  expect(metricOf('yes-no').referenceProblem?.('maybe')).toContain("'maybe'");
});

test('scores are between 0 and 1 for any text', () => {
  const texts = ['', '{', '[1,', '%', '\ud800', '1e999', "'", ','.repeat(50), '0'];
  for (const name of metricNames)
    for (const answer of texts)
      for (const reference of texts) {
        for (const score of Object.values(metricOf(name).score(answer, [reference, reference, reference, reference]))) {
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(1);
        }
      }
});
