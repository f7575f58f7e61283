import { expect, test } from 'vitest';
import { describeEnd, formatRounds } from '../../cli/rounds-table.ts';
import { formatSeconds } from '../../src/core/durations.ts';
import type { RoundSummary } from '../../workflows/inputs.ts';

const base: RoundSummary = {
  round: 0,
  multipleChoice: 51.25,
  directAnswer: 51.25,
  badCases: 39,
  errorByType: { counting: 0.5, color_recognition: 0.25 },
  samplesAdded: 0,
  samplesRejected: 0,
  teacherTokens: { prompt: 0, completion: 0 },
  seconds: { finetune: 80, evaluate: 15.2 },
};

test('the table has a row a round, then the errors by question type', () => {
  const next = {
    ...base,
    round: 1,
    testMultipleChoice: 60,
    samplesAdded: 90,
    teacherTokens: { prompt: 1000, completion: 200 },
    errorByType: { counting: 0.25 },
    gate: {
      accepted: false,
      by: 'test' as const,
      reason: 'worse than round 0',
      builtOn: 0,
      lastGood: 0,
      change: -4,
      pValue: 0.01,
      remembered: 60,
      forgotten: 5,
    },
  };
  const text = formatRounds([base, next], { color: false });
  const lines = text.split('\n').map((line) => line.replace(/[│\s]+/g, ' ').trim());
  expect(lines).toContain('round MC % test MC % samples added time');
  expect(lines).toContain('0 51.3 – 0 1 min 35 s');
  expect(lines).toContain('1 (set aside) 51.3 60.0 90 1 min 35 s');
  expect(lines).toContain('counting 50 % 25 %');
  expect(lines).toContain('color_recognition 25 % –');
});

test('direct answers have no columns where they are multiple choice to the digit', () => {
  const same = { ...base, directAnswer: base.multipleChoice, testMultipleChoice: 60, testDirectAnswer: 60 };
  const headOf = (rounds: RoundSummary[]) => formatRounds(rounds, { color: false }).split('\n')[1];
  expect(headOf([same, { ...same, round: 1 }])).toMatch(/MC %.*test MC %/);
  expect(headOf([same, { ...same, round: 1 }])).not.toContain('DA');
  expect(headOf([same, { ...same, round: 1, testDirectAnswer: 59 }])).toMatch(/DA %/);
});

test('both tables fit 80 columns, however many rounds and however long the names: of the types the last rounds are shown', () => {
  const name = 'x'.repeat(70);
  const rounds = Array.from({ length: 10 }, (_, index) => ({
    ...base,
    round: index + 90,
    measure: 'judge',
    testMultipleChoice: 100,
    samplesAdded: 123_456,
    seconds: { finetune: 100 * 3600 },
    errorByType: { [name]: 1 },
  }));
  const lines = formatRounds(rounds, { color: false }).split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(lines.find((line) => line.includes('error by'))).toContain('round 99');
  const wide = formatRounds(rounds, { color: false, columns: 200 }).split('\n');
  expect(wide.find((line) => line.includes('error by'))).toMatch(/round 90 .* round 99/);
});

test('the end says how many rounds were done, or why it ended early', () => {
  const rounds = [base, { ...base, round: 1 }];
  const reason = 'round 2 ended early: no bad case is left to learn from';
  expect(describeEnd({ rounds, stop: { rule: 'rounds', reason: '' } })).toBe('Finished: 1 of 1 rounds');
  expect(describeEnd({ rounds: [base], stop: { rule: 'rounds', reason: '' } })).toBe('Finished: round 0');
  expect(describeEnd({ rounds, stop: { rule: 'nothing-new', reason } })).toBe(`Finished: after round 1, as ${reason}`);
});

test('rounds without errors by type have one table', () => {
  expect(formatRounds([{ ...base, errorByType: undefined }], { color: false })).not.toContain('question type');
});

test('formats times', () => {
  expect([4.4, 95, 7205].map(formatSeconds)).toEqual(['4 s', '1 min 35 s', '2 h 0 min']);
});
