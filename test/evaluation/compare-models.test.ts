import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compareEvaluations, comparePaired } from '../../src/evaluation/compare-models.ts';
import { writeEvaluation } from '../../src/evaluation/evaluation-files.ts';
import { summarizeMeasures } from '../../src/evaluation/summarize-measures.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const bootstrap = { samples: 1000, seed: 1 };
const byId = (scores: Record<string, number>) => new Map(Object.entries(scores));

describe('comparePaired', () => {
  test('counts on which questions only one is right', () => {
    const first = byId({ a: 1, b: 1, c: 0, d: 0, e: 1 });
    const second = byId({ a: 1, b: 0, c: 1, d: 1, e: 1 });
    expect(comparePaired(first, second, bootstrap)).toMatchObject({
      count: 5,
      leftOut: 0,
      first: 0.6,
      second: 0.8,
      onlyFirst: 1,
      onlySecond: 2,
      pValue: 1,
      difference: { value: expect.closeTo(0.2, 10) },
    });
  });

  test('a model that is better on most questions is so beyond the interval', () => {
    const ids = Array.from({ length: 200 }, (_, index) => String(index));
    const first = new Map(ids.map((id, index) => [id, index % 2]));
    const second = new Map(ids.map((id, index) => [id, index % 2 === 1 || index % 4 === 0 ? 1 : 0]));
    const { difference, pValue } = comparePaired(first, second, bootstrap);
    expect(difference.low).toBeGreaterThan(0.15);
    expect(pValue).toBeLessThan(1e-10);
  });

  test('scores between right and wrong have a difference and a sign-flip test, but no test of right against wrong', () => {
    const compared = comparePaired(byId({ a: 1 / 3, b: 1 }), byId({ a: 2 / 3, b: 1 }), bootstrap);
    expect(compared.difference.value).toBeCloseTo(1 / 6, 10);
    expect(compared).not.toHaveProperty('onlyFirst');
    expect(compared).toMatchObject({ test: 'sign-flip', pValue: 1 });
  });

  test('where images repeat, interval and test are by image', () => {
    const ids = Array.from({ length: 40 }, (_, index) => String(index));
    const first = new Map(ids.map((id) => [id, 0]));
    const second = new Map(ids.map((id, index) => [id, index < 16 ? 1 : 0]));
    const apart = comparePaired(first, second, bootstrap);
    const byImage = comparePaired(first, second, bootstrap, (id) => Math.floor(Number(id) / 8));
    expect(apart).toMatchObject({ test: 'mcnemar', pValue: expect.closeTo(2 ** -15, 10) });
    expect(byImage).toMatchObject({ test: 'sign-flip', pValue: expect.closeTo(0.5, 10), images: 5, onlySecond: 16 });
    expect(byImage.difference.value).toBe(apart.difference.value);
    const width = ({ low, high }: { low: number; high: number }) => high - low;
    expect(width(byImage.difference)).toBeGreaterThan(1.8 * width(apart.difference));
  });

  test('questions that only one was asked are left out and counted', () => {
    expect(comparePaired(byId({ a: 1, b: 0 }), byId({ b: 1, c: 1, d: 1 }), bootstrap)).toMatchObject({
      count: 1,
      leftOut: 3,
    });
  });
});

describe('compareEvaluations', () => {
  async function evaluation(
    folder: string,
    set: string,
    benchmark: string,
    scores: number[],
    ranking?: 'written' | 'prompt-logprobs',
  ): Promise<void> {
    const measures = { accuracy: scores.map((score, index) => ({ id: String(index), score })) };
    const facts = {
      schemaVersion: 1,
      set,
      benchmark,
      title: benchmark,
      blind: false,
      weights: 'w',
      asked: 'a',
      ...(ranking && { ranking }),
    } as const;
    const counts = { questions: scores.length, unanswered: 0 };
    await writeEvaluation(
      folder,
      { ...facts, ...counts, measures: summarizeMeasures(measures, bootstrap) },
      measures,
      [],
    );
  }

  test('matches the sets of two rounds by name', async () => {
    const [first, second] = [await temporaryFolder(), await temporaryFolder()];
    await evaluation(first, 'validation', 'aokvqa', [1, 0]);
    await evaluation(join(first, 'mmbench'), 'mmbench', 'mmbench', [0, 0, 1]);
    await evaluation(second, 'validation', 'aokvqa', [1, 1]);
    await evaluation(join(second, 'mmbench'), 'mmbench', 'mmbench', [0, 1, 1]);
    await evaluation(join(second, 'seed-bench'), 'seed-bench', 'seed-bench', [0]);
    const comparisons = await compareEvaluations(first, second, bootstrap);
    expect(comparisons.map(({ set, onlySecond, count }) => [set, onlySecond, count])).toEqual([
      ['validation', 1, 2],
      ['mmbench', 1, 3],
    ]);
  });

  test('corrects the main measures for the number of benchmarks', async () => {
    const [first, second] = [await temporaryFolder(), await temporaryFolder()];
    const wrong = Array(8).fill(0);
    const right = (count: number) => [...Array(count).fill(1), ...Array(8 - count).fill(0)];
    for (const [name, count] of [
      ['one', 8],
      ['two', 6],
      ['three', 1],
    ] as const) {
      await evaluation(join(first, name), name, name, wrong);
      await evaluation(join(second, name), name, name, right(count));
    }
    const compared = await compareEvaluations(first, second, bootstrap);
    const adjusted = compared.map(({ set, pValue, adjustedPValue }) => [set, pValue, adjustedPValue]);
    expect(adjusted.sort()).toEqual([
      ['one', expect.closeTo(2 ** -7, 10), expect.closeTo(3 * 2 ** -7, 10)],
      ['three', 1, 1],
      ['two', expect.closeTo(2 ** -5, 10), expect.closeTo(2 * 2 ** -5, 10)],
    ]);
  });

  test('compares a blind evaluation with one that sees, whatever their names', async () => {
    const [first, second] = [await temporaryFolder(), await temporaryFolder()];
    await evaluation(first, 'mmbench-blind', 'mmbench', [0, 0]);
    await evaluation(second, 'mmbench', 'mmbench', [1, 1]);
    expect(await compareEvaluations(first, second, bootstrap)).toMatchObject([{ onlyFirst: 0, onlySecond: 2 }]);
  });

  test.each([
    ['written', undefined, true],
    ['written', 'prompt-logprobs', true],
    ['prompt-logprobs', undefined, undefined],
    ['written', 'written', undefined],
  ] as const)('choices %s against %s: says whether they were found alike', async (one, other, rankedOtherwise) => {
    const [first, second] = [await temporaryFolder(), await temporaryFolder()];
    await evaluation(first, 'ai2d', 'ai2d', [0, 1], one);
    await evaluation(second, 'ai2d', 'ai2d', [1, 1], other);
    const [compared] = await compareEvaluations(first, second, bootstrap);
    expect(compared?.rankedOtherwise).toBe(rankedOtherwise);
  });

  test('refuses folders without an evaluation and different benchmarks, naming them', async () => {
    const [first, second, empty] = [await temporaryFolder(), await temporaryFolder(), await temporaryFolder()];
    await evaluation(first, 'mmbench', 'mmbench', [0]);
    await evaluation(second, 'seed-bench', 'seed-bench', [0]);
    await expect(compareEvaluations(first, empty, bootstrap)).rejects.toMatchObject({
      name: 'InputError',
      file: empty,
    });
    await expect(compareEvaluations(first, second, bootstrap)).rejects.toThrow("is seed-bench, the other's is mmbench");
    await expect(compareEvaluations(join(empty, 'none'), first, bootstrap)).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringContaining('none: no such folder. Name the folder of an evaluation'),
    });
  });
});
