import { expect, test } from 'vitest';
import { miniGpt4PromptForm } from '../../../src/model/families/minigpt4/prompt.ts';
import type { Tokenizer } from '../../../src/model/text/tokenizer.ts';
import { batchShape, collate, tokenWeights } from '../../../src/trainer/jobs/batch.ts';
import { promptIds, trainingSequence } from '../../../src/trainer/jobs/sequence.ts';

/** One id a character, so that a test can be read. */
const letters: Tokenizer = {
  encode: async (text) => [...text].map((letter) => letter.charCodeAt(0)),
  encodeWhole: (text) => letters.encode(text),
  plainText: (text) => text,
  decode: (ids) => String.fromCharCode(...ids),
  tokenId: (token) => (token === '<ImageHere>' ? 3 : undefined),
  vocabularySize: 256,
};
const form = { ...miniGpt4PromptForm, turn: 'a<ImageHere>{question}', turnWithoutImage: '{question}' };
const settings = { tokenizer: letters, queries: 2, maximumTokens: 20, beginToken: 0, form };

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

test('question and answer are cut to the limit at their end; begin token, image and the words before do not count', async () => {
  const { tokenIds, answerStart, cut } = await trainingSequence('a<ImageHere>bc', 'x'.repeat(50), settings);
  expect(letters.decode(tokenIds)).toBe(`\0a\x03\x03bc${'x'.repeat(18)}`);
  expect({ answerStart, cut }).toEqual({ answerStart: 6, cut: 50 + 3 - 18 });
});

test('of a question longer than the limit nothing is learned, and its batch learns of the others', async () => {
  const long = await trainingSequence(`a<ImageHere>${'x'.repeat(30)}`, 'yes', settings);
  expect(long).toMatchObject({ answerStart: 4 + 20, cut: 30 + 6 - 20 });
  expect(long.tokenIds).toHaveLength(4 + 20);
  const sequences = [long, await trainingSequence('a<ImageHere>b', 'yes', settings)];
  const { labels, weights } = collate(sequences, batchShape(sequences), settings.queries);
  expect(letters.decode([...labels].filter((_, slot) => (weights[slot] as number) > 0))).toBe('yes###');
  expect(batchShape([long]).targets).toBe(8);
  expect(new Set(collate([long], batchShape([long]), settings.queries).weights)).toEqual(new Set([0]));
});

test('of a fixed request no word counts: the whole limit is the answer’s', async () => {
  const { answerStart, tokenIds } = await trainingSequence(
    `a<ImageHere>${'x'.repeat(30)}`,
    'y'.repeat(30),
    settings,
    'request',
  );
  expect({ answerStart, tokens: tokenIds.length }).toEqual({ answerStart: 4 + 30, tokens: 4 + 30 + 20 });
});

test('groups of a batch weigh the same, however many tokens each has; one with nothing to learn does not count', async () => {
  const of = (answer: string, question = 'b') => trainingSequence(`a<ImageHere>${question}`, answer, settings);
  const nothing = await of('yes', 'x'.repeat(30));
  const sequences = [await of('yes'), await of('no'), await of('maybe'), nothing, nothing, nothing];
  const [first, second, third] = tokenWeights(sequences, 2) as [number, number, number];
  expect([first, second].map((weight) => 1 / weight)).toEqual([2 * (6 + 5), 2 * (6 + 5)]);
  expect(1 / third).toBeCloseTo(2 * 8);
  const { weights } = collate(sequences, batchShape(sequences), settings.queries, tokenWeights(sequences, 2));
  expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 6);
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
