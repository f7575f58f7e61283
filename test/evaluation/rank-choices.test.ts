import { describe, expect, test } from 'vitest';
import { likeliestChoice, rankChoices } from '../../evaluation/rank-choices.ts';
import { evaluated, question } from './questions.ts';

describe('likeliestChoice', () => {
  test('the lowest loss wins', () => expect(likeliestChoice([3, 1, 2, 4])).toBe(1));
  test('the first of equals wins', () => expect(likeliestChoice([2, 1, 1, 1])).toBe(1));
  test('what is not a number never wins', () => expect(likeliestChoice([Number.NaN, 9, Number.NaN, 10])).toBe(1));
  test('nothing but NaN is an error', () => expect(() => likeliestChoice([Number.NaN])).toThrow(/no loss/));
});

describe('rankChoices', () => {
  const types = new Map([['q1', 'identity_reasoning']]);

  test('makes the records of aokvqa_eval.json', () => {
    const losses = [{ question_id: 'q1', losses: [2, 1, 3, 4] }];
    expect(rankChoices({ questions: [question()], losses, questionTypes: types })).toEqual([evaluated()]);
  });

  test('keeps the order of the questions, whatever the order of the losses', () => {
    const ids = ['q3', 'q1', 'q2'];
    const records = rankChoices({
      questions: ids.map((question_id) => question({ question_id })),
      losses: [...ids].sort().map((question_id) => ({ question_id, losses: [1, 2, 3, 4] })),
      questionTypes: new Map(ids.map((id) => [id, 'image_scene'])),
    });
    expect(records.map((record) => record.question_id)).toEqual(ids);
  });

  test.each([
    ['no losses', [], types, /q1 was not evaluated/],
    ['too few losses', [{ question_id: 'q1', losses: [1] }], types, /4 choices, but 1 losses/],
    ['no type', [{ question_id: 'q1', losses: [1, 2, 3, 4] }], new Map(), /no question type/],
  ])('a question with %s is an error', (_, losses, questionTypes, message) => {
    expect(() => rankChoices({ questions: [question()], losses, questionTypes })).toThrow(message);
  });
});
