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
  expect(describeOutcome('evaluate', scored).split('\n').slice(1)).toEqual(['  answers: 6', '  multiple choice: 50']);
});

test('numbers are rounded, names are words, and lists and tables are read without brackets', () => {
  const outcome = {
    ...generated,
    multipleChoice: 64.03162055,
    loss: 0.42187364,
    parity: 0.0000091324,
    errorByType: { color: 1 / 3, place: 0 },
    notes: ['The pool is small.', 'The gate finds nothing.'],
  };
  expect(describeOutcome('classify', outcome).split('\n').slice(2)).toEqual([
    '  multiple choice: 64.0',
    '  loss: 0.422',
    '  parity: 9.1e-6',
    '  error by type: color 0.333, place 0',
    '  notes: The pool is small.; The gate finds nothing.',
  ]);
});
