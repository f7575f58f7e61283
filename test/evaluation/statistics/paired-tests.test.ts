import { describe, expect, test } from 'vitest';
import {
  holmAdjusted,
  mcNemarExact,
  mcNemarWorse,
  signFlipTest,
} from '../../../src/evaluation/statistics/paired-tests.ts';
import { peers } from './peers.ts';

// scipy.stats.binomtest(b, b + c, 0.5).pvalue
test.each([
  [5, 0, 0.0625],
  [1, 9, 0.021484375],
  [12, 5, 0.143463134765625],
  [30, 30, 1],
  [40, 20, 0.01348929373119186],
  [600, 500, 0.0028195449914364284],
  [1500, 1200, 8.412086328628609e-9],
])('%i against %i', (onlyFirst, onlySecond, wanted) => {
  expect(mcNemarExact(onlyFirst, onlySecond) / wanted).toBeCloseTo(1, 6);
  expect(mcNemarExact(onlySecond, onlyFirst)).toBe(mcNemarExact(onlyFirst, onlySecond));
});

test('models that never differ', () => expect(mcNemarExact(0, 0)).toBe(1));

// scipy.stats.binomtest(lost, lost + won, 0.5, alternative='greater').pvalue
test.each([
  [5, 0, 0.03125],
  [9, 1, 0.0107421875],
  [1, 9, 0.9990234375],
  [0, 7, 1],
  [0, 0, 1],
])('worse: %i lost, %i won', (lost, won, wanted) => {
  expect(mcNemarWorse(lost, won)).toBeCloseTo(wanted, 10);
});

// R: p.adjust(c(0.01, 0.04, 0.03, 0.005), 'holm')
test('p-values are adjusted as by R’s p.adjust', () => {
  expect(holmAdjusted([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
});

test('one test is not corrected, none gives none, and no adjusted value passes 1', () => {
  expect(holmAdjusted([0.2])).toEqual([0.2]);
  expect(holmAdjusted([])).toEqual([]);
  expect(holmAdjusted([0.9, 0.8])).toEqual([1, 1]);
});

test.each(peers.holm)('p-values are adjusted as by statsmodels’ multipletests', ({ given, adjusted }) => {
  for (const [index, value] of holmAdjusted(given).entries()) expect(value).toBeCloseTo(adjusted[index] as number, 12);
});

describe('the sign-flip test', () => {
  const settings = { samples: 20_000, seed: 1 };

  test.each(peers.sign_flip)('%j: as by all patterns of signs', (differences, wanted) => {
    expect(signFlipTest(differences, settings)).toBeCloseTo(wanted, 10);
  });

  test.each(peers.sign_flip)('%j in thirds: drawn patterns come close', (differences, wanted) => {
    const thirds = differences.map((difference) => difference / 3);
    expect(Math.abs(signFlipTest(thirds, settings) - wanted)).toBeLessThan(0.015);
  });

  test('with one question an image it is McNemar’s exact test', () => {
    const differences = [...Array(12).fill(1), ...Array(5).fill(-1), ...Array(30).fill(0)];
    expect(signFlipTest(differences, settings)).toBeCloseTo(mcNemarExact(12, 5), 10);
    expect(signFlipTest([0, 0], settings)).toBe(1);
  });

  test('answers that only repeat one another are no more evidence', () => {
    expect(signFlipTest([4, 4, 4, 4], settings)).toBeCloseTo(signFlipTest([1, 1, 1, 1], settings), 10);
  });

  test('thousands of questions take no time to speak of', () => {
    const differences = Array.from({ length: 6000 }, (_, index) => [1, -1, 2, 1, -3, 1][index % 6] as number);
    expect(signFlipTest(differences, settings)).toBeLessThan(1e-3);
  });
});
