import { expect, test } from 'vitest';
import { learningRateAt } from '../../training/learning-rate.ts';

const reference = { initial: 1e-6, peak: 3e-4, final: 1e-5, warmupSteps: 200 };

test('warms up linearly, peaks at the end of the warm-up, ends at the final rate', () => {
  expect(learningRateAt(0, 3000, reference)).toBeCloseTo(1e-6, 12);
  expect(learningRateAt(100, 3000, reference)).toBeCloseTo((1e-6 + 3e-4) / 2, 10);
  expect(learningRateAt(200, 3000, reference)).toBeCloseTo(3e-4, 12);
  expect(learningRateAt(2999, 3000, reference)).toBeCloseTo(1e-5, 12);
});

test('falls as half a cosine: halfway down at half the time', () => {
  const middle = 200 + (2999 - 200) / 2;
  expect(learningRateAt(middle, 3000, reference)).toBeCloseTo((3e-4 + 1e-5) / 2, 10);
});

test('a run shorter than its warm-up never passes the peak', () => {
  const rates = Array.from({ length: 50 }, (_, step) => learningRateAt(step, 50, reference));
  expect(Math.max(...rates)).toBeLessThan(reference.peak);
});
