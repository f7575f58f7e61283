import { expect, test } from 'vitest';
import { holmAdjusted, mcNemarExact, mcNemarWorse } from '../../../src/evaluation/statistics/paired-tests.ts';

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
