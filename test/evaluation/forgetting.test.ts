import { expect, test } from 'vitest';
import { findForgotten, sumForgotten } from '../../src/evaluation/forgetting.ts';
import type { Answered } from '../../src/evaluation/round-comparison.ts';

const answer = (id: string, right: boolean): Answered => ({
  question_id: id,
  question_type: id.split('-')[0] as string,
  choices: ['red', 'blue', 'green', 'gray'],
  correct_choice_idx: 2,
  model_choice_idx: right ? 2 : 0,
});

test('each type is held against the earlier round that was best at it', () => {
  const round0 = [answer('color-1', true), answer('color-2', true), answer('count-1', false)];
  const round1 = [answer('color-1', true), answer('color-2', false), answer('count-1', true)];
  const now = [answer('color-1', false), answer('color-2', true), answer('count-1', false)];
  const forgotten = findForgotten(
    new Map([
      [0, round0],
      [1, round1],
    ]),
    now,
  );
  expect(forgotten).toEqual({
    color: { bestRound: 0, right: 2, lost: 1, questions: ['color-1'] },
    count: { bestRound: 1, right: 1, lost: 1, questions: ['count-1'] },
  });
  expect(sumForgotten(forgotten)).toEqual({ right: 3, lost: 2 });
});

test('forgetting shows even where the accuracy is the same', () => {
  const before = [answer('color-1', true), answer('color-2', false)];
  const now = [answer('color-1', false), answer('color-2', true)];
  expect(findForgotten(new Map([[0, before]]), now).color).toMatchObject({ right: 1, lost: 1 });
});

test('of rounds that were alike the latest is named; the first round has nothing to forget', () => {
  const same = [answer('color-1', true)];
  expect(
    findForgotten(
      new Map([
        [1, same],
        [0, same],
      ]),
      same,
    ).color,
  ).toMatchObject({ bestRound: 1, lost: 0 });
  expect(findForgotten(new Map(), same)).toEqual({});
});
