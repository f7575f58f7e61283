import { expect, test } from 'vitest';
import type { Answered } from '../../src/evaluation/round-comparison.ts';
import { findStop } from '../../src/evaluation/stop-rules.ts';

const answers = (marks: string): Answered[] =>
  [...marks].map((mark, index) => ({
    question_id: String(index),
    question_type: 'color',
    choices: ['red', 'blue', 'green', 'gray'],
    correct_choice_idx: 0,
    model_choice_idx: mark === '+' ? 0 : 1,
  }));
const plateau = (before: { round: number; answers: Answered[] }, now: { round: number; answers: Answered[] }) => ({
  score: 50,
  plateau: { rounds: 2, level: 0.05, before, now },
});

test('without rules a run continues', () => {
  expect(findStop({ score: 100 })).toBeUndefined();
});

test('a score that reaches the target ends it', () => {
  expect(findStop({ score: 79.9, targetScore: 80 })).toBeUndefined();
  expect(findStop({ score: 80, targetScore: 80 })).toEqual({
    rule: 'target',
    reason: '80.0 % on the validation questions reach the target of 80 %',
  });
});

test('rounds without a significant gain end it', () => {
  const weak = answers('-----+++++');
  // One question more may be chance.
  expect(findStop(plateau({ round: 1, answers: weak }, { round: 3, answers: answers('+----+++++') }))).toEqual({
    rule: 'plateau',
    reason: 'the last 2 rounds had no significant gain: round 3 is not significantly better than round 1',
  });
  expect(findStop(plateau({ round: 1, answers: weak }, { round: 3, answers: answers('++++++++++') }))).toBeUndefined();
  expect(findStop(plateau({ round: 1, answers: weak }, { round: 1, answers: weak }))?.reason).toContain(
    'none of the last 2 rounds was built upon',
  );
});

test('money that is spent ends it', () => {
  const budget = { limit: 20, spent: 19.99, currency: 'USD' };
  expect(findStop({ score: 50, budget })).toBeUndefined();
  expect(findStop({ score: 50, budget: { ...budget, spent: 20.5 } })).toEqual({
    rule: 'budget',
    reason: '20.50 of 20.00 USD are spent',
  });
});
