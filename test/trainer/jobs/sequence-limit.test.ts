import { expect, test } from 'vitest';
import { withinSequence } from '../../../src/trainer/jobs/sequence-limit.ts';

/** A begin token, a word, an image of three places, four tokens of a question, three of an answer. */
const sequence = { tokenIds: [0, 1, 9, 9, 9, 2, 3, 4, 5, 6, 7, 8], imageStart: 2, answerStart: 9, cut: 0 };

test('a sequence within the limit, or without one, stays as it is', () => {
  expect(withinSequence(sequence, undefined, 3)).toBe(sequence);
  expect(withinSequence(sequence, 12, 3)).toBe(sequence);
});

test('an image counts as all of its tokens, and text is cut at its end', () => {
  expect(withinSequence({ ...sequence, cut: 4 }, 10, 3)).toEqual({
    tokenIds: sequence.tokenIds.slice(0, 10),
    imageStart: 2,
    answerStart: 9,
    cut: 6,
    beyondSequence: 2,
    hasNoRoom: false,
  });
  expect(withinSequence(sequence, 7, 3)).toMatchObject({ answerStart: 7, hasNoRoom: false });
});

test('a limit within the image leaves no room', () => {
  expect(withinSequence(sequence, 5, 3).hasNoRoom).toBe(true);
  expect(withinSequence(sequence, 6, 3).hasNoRoom).toBe(false);
  expect(withinSequence({ ...sequence, imageStart: -1 }, 2, 3).hasNoRoom).toBe(false);
});
