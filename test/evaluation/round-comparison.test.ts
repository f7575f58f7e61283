import { describe, expect, test } from 'vitest';
import { type Answered, compareRounds, isWorse } from '../../src/evaluation/round-comparison.ts';

/** Answers to questions of one type: as many right ones, then wrong ones. */
function answers(type: string, right: string): Answered[] {
  return [...right].map((mark, index) => ({
    question_id: `${type}-${index}`,
    question_type: type,
    choices: ['red', 'blue', 'green', 'gray'],
    correct_choice_idx: 0,
    model_choice_idx: mark === '+' ? 0 : 1,
  }));
}

const settings = { level: 0.05, tolerance: 0, typeTolerance: 0, typeTolerances: {} };

describe('a round’s model against the last good one', () => {
  test('is counted question by question, overall and by type', () => {
    const before = [...answers('color', '++--'), ...answers('count', '+++')];
    const now = [...answers('color', '+-+-'), ...answers('count', '+++')];
    const { overall, byType } = compareRounds(before, now, settings);
    expect(overall).toMatchObject({ questions: 7, rightBefore: 5, rightNow: 5, lost: 1, won: 1, worse: false });
    expect(byType.color).toMatchObject({ questions: 4, lost: 1, won: 1 });
    expect(byType.count).toMatchObject({ questions: 3, lost: 0, won: 0, pValue: 1 });
  });

  test('is worse when it lost more than chance explains', () => {
    // 5 lost, none won: one-sided p = 1/32.
    const worse = compareRounds(answers('color', '+++++-----'), answers('color', '----------'), settings);
    expect(worse.overall).toMatchObject({ pValue: 1 / 32, worse: true });
    expect(isWorse(worse)).toBe(true);
    // 4 lost: p = 1/16, which chance does too often.
    const chance = compareRounds(answers('color', '++++------'), answers('color', '----------'), settings);
    expect(chance.overall).toMatchObject({ pValue: 1 / 16, worse: false });
    expect(isWorse(chance)).toBe(false);
  });

  test('is not worse for a drop within the tolerance, however sure it is', () => {
    const before = [...answers('color', '+'.repeat(100))];
    const now = [...answers('color', `${'-'.repeat(10)}${'+'.repeat(90)}`)];
    expect(compareRounds(before, now, { ...settings, tolerance: 0.1, typeTolerance: 0.1 }).overall.worse).toBe(false);
    const byType = compareRounds(before, now, { ...settings, tolerance: 0.1, typeTolerances: { color: 0.09 } });
    expect(byType.overall.worse).toBe(false);
    expect(byType.byType.color).toMatchObject({ tolerance: 0.09, worse: true });
  });

  test('with more types it takes more to be called worse in one of them', () => {
    const lost = (types: string[]) => {
      const before = types.flatMap((type) => answers(type, '+++++-----'));
      const now = types.flatMap((type, index) => answers(type, index === 0 ? '----------' : '+++++-----'));
      return compareRounds(before, now, settings).byType.first;
    };
    expect(lost(['first'])).toMatchObject({ pValue: 1 / 32, worse: true });
    expect(lost(['first', 'second'])).toMatchObject({ pValue: 2 / 32, worse: false });
  });

  test('a gain in other types does not hide a type that got worse', () => {
    const before = [...answers('color', '+'.repeat(20)), ...answers('count', '-'.repeat(40))];
    const now = [...answers('color', '-'.repeat(20)), ...answers('count', '+'.repeat(40))];
    const compared = compareRounds(before, now, settings);
    expect(compared.overall.worse).toBe(false);
    expect(compared.byType).toMatchObject({ color: { worse: true }, count: { worse: false } });
    expect(isWorse(compared)).toBe(true);
  });

  test('the level 1 calls any drop beyond the tolerance worse', () => {
    const compared = compareRounds(answers('color', '+++'), answers('color', '++-'), { ...settings, level: 1 });
    expect(compared.overall.worse).toBe(true);
    const same = compareRounds(answers('color', '+++'), answers('color', '+++'), { ...settings, level: 1 });
    expect(same.overall.worse).toBe(false);
  });

  test('only questions that both were asked count', () => {
    const compared = compareRounds(answers('color', '+'), answers('color', '++'), settings);
    expect(compared.overall.questions).toBe(1);
    expect(compareRounds([], answers('color', '+'), settings).overall).toMatchObject({ questions: 0, worse: false });
  });

  test('of pairs of models that are alike, hardly more are called worse than the level says', () => {
    // A fixed sequence of coin tosses: 300 worlds of 60 questions each.
    let state = 12345;
    const toss = () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 16) & 1 ? '+' : '-';
    };
    const world = () => ['a', 'b', 'c'].flatMap((type) => answers(type, Array.from({ length: 20 }, toss).join('')));
    const called = Array.from({ length: 300 }, () => compareRounds(world(), world(), settings));
    expect(called.filter(({ overall }) => overall.worse).length / 300).toBeLessThan(0.08);
    expect(called.filter(({ byType }) => Object.values(byType).some(({ worse }) => worse)).length / 300).toBeLessThan(
      0.08,
    );
  });
});
