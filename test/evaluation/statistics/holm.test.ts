import { expect, test } from 'vitest';
import { holmAdjusted } from '../../../src/evaluation/statistics/holm.ts';

// R: p.adjust(c(0.01, 0.04, 0.03, 0.005), 'holm')
test('p-values are adjusted as by R’s p.adjust', () => {
  expect(holmAdjusted([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
});

test('one test is not corrected, none gives none, and no adjusted value passes 1', () => {
  expect(holmAdjusted([0.2])).toEqual([0.2]);
  expect(holmAdjusted([])).toEqual([]);
  expect(holmAdjusted([0.9, 0.8])).toEqual([1, 1]);
});
