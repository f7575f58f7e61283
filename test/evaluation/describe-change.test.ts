import { describe, expect, test } from 'vitest';
import {
  describeChange,
  describeComparison,
  describeP,
  fewestQuestions,
  verdictOn,
} from '../../src/evaluation/describe-change.ts';
import { type Answered, compareRounds } from '../../src/evaluation/round-comparison.ts';

/** Answers to questions of one type, `+` for a right one. */
function answers(type: string, right: string): Answered[] {
  return [...right].map((mark, index) => ({
    question_id: `${type}-${index}`,
    question_type: type,
    choices: ['red', 'blue'],
    correct_choice_idx: 0,
    model_choice_idx: mark === '+' ? 0 : 1,
  }));
}

const settings = { level: 0.05, tolerance: 0, typeTolerance: 0, typeTolerances: {} };
const between = (before: string, now: string, tolerance = 0) =>
  compareRounds(answers('color', before), answers('color', now), { ...settings, tolerance }).overall;

describe('what a change of score means, in words', () => {
  test('a drop that chance explains', () => {
    const pair = between('++++++++--------', '++++++----------');
    expect(describeChange(pair, 0.05)).toBe('drop of 12.5 points is not significant (p 0.25, 16 questions)');
  });

  test('the verdict is that of the sentence: clear, or perhaps chance; without a test its direction', () => {
    const [before, now] = ['+'.repeat(100), `${'-'.repeat(10)}${'+'.repeat(90)}`];
    expect(verdictOn(between(before, now), 0.05)).toBe('worse');
    expect(verdictOn(between(before, now, 0.1), 0.05)).toBe('worse');
    expect(verdictOn(between(now, before), 0.05)).toBe('better');
    const chance = between('++++++++--------', '++++++----------');
    expect(verdictOn(chance, 0.05)).toBe('unclear');
    expect(verdictOn(chance, 1)).toBe('worse');
    expect(verdictOn(between('+-', '-+'), 1)).toBe('unclear');
  });

  test('a drop that chance does not explain, and one that is tolerated', () => {
    const [before, now] = ['+'.repeat(100), `${'-'.repeat(10)}${'+'.repeat(90)}`];
    expect(describeChange(between(before, now), 0.05)).toBe(
      'drop of 10.0 points is significant (p < 0.001, 100 questions)',
    );
    expect(describeChange(between(before, now, 0.1), 0.05)).toBe(
      'drop of 10.0 points is within the tolerance of 10.0 (p < 0.001, 100 questions)',
    );
  });

  test('a gain, by the same test the other way round', () => {
    expect(describeChange(between('-----+', '++++++'), 0.05)).toBe(
      'gain of 83.3 points is significant (p 0.031, 6 questions)',
    );
    expect(describeChange(between('--', '+-'), 0.05)).toBe(
      'gain of 50.0 points is not significant (p 0.5, 2 questions)',
    );
  });

  test('no change, and no question', () => {
    expect(describeChange(between('+-', '+-'), 0.05)).toBe('no answer changed (2 questions)');
    expect(describeChange(between('+-', '-+'), 0.05)).toBe('no change (1 won, 1 lost of 2 questions)');
    expect(describeChange(between('', '+'), 0.05)).toBe('no question was answered by both models');
  });

  test('types that got worse follow, the strongest evidence first', () => {
    const before = [
      ...answers('color', '+'.repeat(20)),
      ...answers('count', '+'.repeat(10)),
      ...answers('place', '-'.repeat(40)),
    ];
    const now = [
      ...answers('color', '-'.repeat(20)),
      ...answers('count', '-'.repeat(10)),
      ...answers('place', '+'.repeat(40)),
    ];
    expect(describeComparison(compareRounds(before, now, settings), 0.05)).toBe(
      'gain of 14.3 points is not significant (p 0.14, 70 questions); ' +
        'color got worse: 100.0 % → 0.0 % (p < 0.001); count got worse: 100.0 % → 0.0 % (p 0.002)',
    );
  });

  test('p-values are short', () => {
    expect([1, 0.25, 0.0625, 0.00391, 0.0005].map(describeP)).toEqual([
      'p 1',
      'p 0.25',
      'p 0.063',
      'p 0.0039',
      'p < 0.001',
    ]);
  });
});

describe('the fewest questions with which the gate can call a type worse', () => {
  test.each([
    [0.05, 1, 5],
    [0.05, 9, 8],
    [0.0625, 1, 4],
    [1, 1, 1],
    [1, 9, 1],
  ])('at the level %s with %s types: %s', (level, types, fewest) => {
    expect(fewestQuestions(level, types)).toBe(fewest);
    const names = Array.from({ length: types }, (_, index) => `type-${index}`);
    const worse = (questions: number) => {
      const before = names.flatMap((name) => answers(name, '+'.repeat(questions)));
      const now = names.flatMap((name, index) => answers(name, (index === 0 ? '-' : '+').repeat(questions)));
      return compareRounds(before, now, { ...settings, level }).byType['type-0']?.worse ?? false;
    };
    expect([worse(fewest - 1), worse(fewest)]).toEqual([false, true]);
  });
});
