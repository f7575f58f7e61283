import { expect, test } from 'vitest';
import { hashValue } from '../../../../src/core/hash.ts';
import { learningRateAt } from '../../../../src/trainer/jobs/finetune/optimizer.ts';

const reference = { initial: 1e-6, peak: 3e-4, final: 1e-5, warmupSteps: 200 };

test('warms up linearly to the peak, and is near the final rate at the end', () => {
  expect(learningRateAt(0, 3000, reference)).toBeCloseTo(1e-6, 12);
  expect(learningRateAt(100, 3000, reference)).toBeCloseTo((1e-6 + 3e-4) / 2, 10);
  expect(learningRateAt(199, 3000, reference)).toBeCloseTo(3e-4, 5);
  expect(learningRateAt(2999, 3000, reference)).toBeCloseTo(1e-5, 9);
});

test('falls as half a cosine that counts from the first step: halfway down at half of the run', () => {
  expect(learningRateAt(1500, 3000, reference)).toBeCloseTo((3e-4 + 1e-5) / 2, 12);
  const afterWarmup = 1e-5 + (3e-4 - 1e-5) * 0.5 * (1 + Math.cos((Math.PI * 200) / 3000));
  expect(learningRateAt(200, 3000, reference)).toBeCloseTo(afterWarmup, 12);
});

test('a run shorter than its warm-up never passes the peak', () => {
  const rates = Array.from({ length: 50 }, (_, step) => learningRateAt(step, 50, reference));
  expect(Math.max(...rates)).toBeLessThan(reference.peak);
});

test('the rates of the reference are the same bits as ever: recorded losses and adapters follow from them', () => {
  const rates = Array.from({ length: 3000 }, (_, step) => learningRateAt(step, 3000, reference));
  expect(hashValue(rates)).toBe('a0d20b8ced1934d54496cd2527469bc8ef86e05d6e67ab1bb517938c1c8dbe2e');
});
