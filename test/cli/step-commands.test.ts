import { expect, test } from 'vitest';
import { describeOutcome } from '../../cli/step-commands.ts';

const generated = { seconds: 2, reused: false, answers: 6 };

test("a step's outcome is printed with the time it took, or as already done", () => {
  expect(describeOutcome('refine', { ...generated, reused: true })).toBe(
    'refine was already done from the same inputs\n  answers: 6',
  );
  expect(describeOutcome('refine', generated)).toMatch(/^refine done in 2/);
});

test('a cost has its currency; that of a teacher that is free, which has none, is left out', () => {
  expect(describeOutcome('generate', { ...generated, cost: 58.2 })).not.toContain('cost');
  expect(describeOutcome('generate', { ...generated, cost: 58.2, currency: 'USD' })).toContain('  cost: 58.20 USD');
});

test('a score that there is none of is left out', () => {
  const scored = { ...generated, multipleChoice: 50, testMultipleChoice: undefined };
  expect(describeOutcome('evaluate', scored).split('\n').slice(1)).toEqual(['  answers: 6', '  multipleChoice: 50']);
});
