import { describe, expect, test } from 'vitest';
import { likeliestChoice, rankAnswers } from '../../src/evaluation/rank-answers.ts';

describe('likeliestChoice', () => {
  test('the lowest loss wins', () => expect(likeliestChoice([3, 1, 2, 4])).toBe(1));
  test('the first of equals wins', () => expect(likeliestChoice([2, 1, 1, 1])).toBe(1));
  test('what is not a number never wins', () => expect(likeliestChoice([Number.NaN, 9, Number.NaN, 10])).toBe(1));
  test('nothing but NaN is an error', () => expect(() => likeliestChoice([Number.NaN])).toThrow(/no loss/));
});

describe('rankAnswers', () => {
  const question = (id: string) => ({ id, image: `/${id}.jpg` });

  test('keeps the order of the questions, whatever the order of the losses', () => {
    const ids = ['q3', 'q1', 'q2'];
    const losses = [...ids].sort().map((question_id, index) => ({ question_id, losses: [2, index] }));
    const answered = rankAnswers(ids.map(question), losses, () => 2);
    expect(answered.map(({ question, choice }) => [question.id, choice])).toEqual([
      ['q3', 0],
      ['q1', 1],
      ['q2', 1],
    ]);
  });

  test.each([
    ['no losses', [], /q1 was not evaluated/],
    ['too few losses', [{ question_id: 'q1', losses: [1] }], /4 answers to rank, but 1 losses/],
  ])('a question with %s is an error', (_, losses, message) => {
    expect(() => rankAnswers([question('q1')], losses, () => 4)).toThrow(message);
  });
});
