import { expect, test } from 'vitest';
import { miniGpt4PromptForm } from '../../../src/model/families/minigpt4/prompt.ts';
import type { Tokenizer } from '../../../src/model/text/tokenizer.ts';
import { batchShape, collate } from '../../../src/trainer/jobs/batch.ts';
import { promptIds, trainingSequence } from '../../../src/trainer/jobs/sequence.ts';

/** One id a character, so that a test can be read. */
const letters: Tokenizer = {
  encode: async (text) => [...text].map((letter) => letter.charCodeAt(0)),
  encodeWhole: (text) => letters.encode(text),
  decode: (ids) => String.fromCharCode(...ids),
  tokenId: (token) => (token === '<ImageHere>' ? 3 : undefined),
  vocabularySize: 256,
};
const settings = { tokenizer: letters, queries: 2, maximumTokens: 20, beginToken: 0, form: miniGpt4PromptForm };

test('the image mark becomes as many places as there are queries, after the begin token and the text before it', async () => {
  expect(await promptIds('a<ImageHere>b', settings)).toEqual({ ids: [0, 97, 3, 3, 98], imageStart: 2 });
});

test('a prompt without an image has no places for one', async () => {
  expect(await promptIds('ab', settings)).toEqual({ ids: [0, 97, 98], imageStart: -1 });
});

test('the loss is on the answer and the end mark alone', async () => {
  const { tokenIds, answerStart } = await trainingSequence('a<ImageHere>b', 'yes', settings);
  expect(letters.decode(tokenIds.slice(answerStart))).toBe('yes###');
});

test('text beyond the limit is cut, places of the image not counted', async () => {
  const { tokenIds } = await trainingSequence('a<ImageHere>b', 'x'.repeat(50), settings);
  expect(tokenIds.length).toBe(20 + 2);
});

test('a prompt that leaves no space for an answer is refused', async () => {
  await expect(trainingSequence('x'.repeat(30), 'yes', settings)).rejects.toThrow(RangeError);
});

test('a batch pads to the right, points every learned place at the token before it, and weighs padding zero', async () => {
  const sequences = await Promise.all([
    trainingSequence('a<ImageHere>b', 'yes', settings),
    trainingSequence('abc', 'no', settings),
  ]);
  const shape = batchShape(sequences);
  expect(shape).toEqual({ batch: 2, tokens: 16, targets: 8 });
  const batch = collate(sequences, shape, settings.queries);
  const learned = [...batch.labels].filter((_, slot) => (batch.weights[slot] as number) > 0);
  expect(letters.decode(learned)).toBe('yes###no###');
  expect(batch.weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 6);
  batch.rows.forEach((row, slot) => {
    if (batch.weights[slot] === 0) return;
    expect(batch.tokenIds[row + 1]).toBe(batch.labels[slot]);
    expect(row % shape.tokens).toBe(batch.tableRows[slot]);
  });
  expect([...batch.isImage].flatMap((flag, place) => (flag ? [place] : []))).toEqual([2, 3]);
  expect([...batch.imageRows.slice(2, 4)]).toEqual([0, 1]);
});
