import { describe, expect, test } from 'vitest';
import type { Turn } from '../../../src/datasets/train-dataset.ts';
import { llavaPromptForm } from '../../../src/model/families/llava/prompt.ts';
import { miniGpt4PromptForm, miniGpt4ReferenceForm } from '../../../src/model/families/minigpt4/prompt.ts';
import { questionTurn } from '../../../src/model/families/prompt-form.ts';
import type { Tokenizer } from '../../../src/model/text/tokenizer.ts';
import { batchShape, collate, learnedPlaces, learnedTokens, tokenWeights } from '../../../src/trainer/jobs/batch.ts';
import {
  conversationPieces,
  conversationSequence,
  requireConversations,
  shownImages,
} from '../../../src/trainer/jobs/conversation.ts';
import { type Sequence, trainingSequence } from '../../../src/trainer/jobs/sequence.ts';

const IMAGE = 1;
const END = 2;
const marks: Record<string, number> = { '<ImageHere>': IMAGE, '<image>': IMAGE, '</s>': END };

/** One id a character or mark, so that a test can be read. */
const letters: Tokenizer = {
  encode: async (text) =>
    text
      .split(/(<ImageHere>|<image>|<\/s>)/)
      .flatMap((part) => (part in marks ? [marks[part] as number] : [...part].map((letter) => letter.charCodeAt(0)))),
  encodeWhole: (text) => letters.encode(text),
  plainText: (text) => text,
  decode: (ids) => ids.map((id) => (id === IMAGE ? '@' : id === END ? '</s>' : String.fromCharCode(id))).join(''),
  tokenId: (token) => marks[token],
  vocabularySize: 256,
};
const families = { minigpt4: miniGpt4PromptForm, llava: llavaPromptForm };
const settingsOf = (family: keyof typeof families, maximumTokens = 500) => ({
  tokenizer: letters,
  queries: 2,
  maximumTokens,
  beginToken: 0,
  form: families[family],
});

const system: Turn = { role: 'system', content: [{ text: 'Be brief.' }] };
const user = (text: string, ...images: string[]): Turn => ({
  role: 'user',
  content: [...images.map((image) => ({ image })), { text }] as Turn['content'],
});
const assistant = (text: string, learned?: false): Turn => ({
  role: 'assistant',
  content: [{ text }],
  ...(learned === false && { learned }),
});
const twoImages = [
  system,
  user('Which?', 'a', 'b'),
  assistant('One.'),
  user('Sure?'),
  assistant('No.', false),
  user('Here?', 'c'),
  assistant('Yes.'),
];

const textOf = ({ tokenIds }: Sequence) => letters.decode(tokenIds.slice(1));
/** What is learned, with spaces for all other tokens. */
const learnedText = (sequence: Sequence) => {
  const learned = new Set(learnedPlaces(sequence));
  return [...letters.decode(sequence.tokenIds.slice(1).map((id) => (id === END ? 36 : id)))]
    .map((letter, index) => (learned.has(index + 1) ? letter : ' '))
    .join('');
};

describe('the words of a conversation', () => {
  /** `get_prompt` of LLaVA's and MiniGPT-4's `conversation.py`, with one image a turn where they have one. */
  test.each([
    [
      'llava',
      'Be brief. USER: <image>\n<image>\nWhich? ASSISTANT: One.</s>USER: Sure? ASSISTANT: No.</s>USER: <image>\nHere? ASSISTANT: Yes.</s>',
    ],
    [
      'minigpt4',
      'Be brief.###Human: <Img><ImageHere></Img> <Img><ImageHere></Img> Which?###Assistant: One.###Human: Sure?###Assistant: No.###Human: <Img><ImageHere></Img> Here?###Assistant: Yes.###',
    ],
  ] as const)('%s', (family, words) => {
    const pieces = conversationPieces(twoImages, families[family]);
    expect(pieces.map(({ text }) => text).join('')).toBe(words);
  });
});

describe.each(['minigpt4', 'llava'] as const)('%s', (family) => {
  const settings = settingsOf(family);
  const { form } = settings;

  test('one question and its answer have the ids that they have as no conversation', async () => {
    for (const images of [[], ['a']]) {
      const wanted = await trainingSequence(
        questionTurn(form, 'Which?', { withImage: images.length > 0 }),
        'One.',
        settings,
      );
      expect(await conversationSequence([user('Which?', ...images), assistant('One.')], settings)).toEqual(wanted);
    }
  });

  test('the loss is on the tokens of answers that are not left out, and what ends them, and on no other', async () => {
    const sequence = await conversationSequence(twoImages, settings);
    const end = form.endMark === '</s>' ? '$' : form.endMark;
    const answers = ['One.', 'Yes.'].map((answer) => `${form.answerSeparator}${answer}${end}`);
    expect(
      learnedText(sequence)
        .split(/ {2,}/)
        .map((text) => text.trim()),
    ).toEqual(['', ...answers.map((text) => text.trim())]);
    expect(learnedTokens([sequence])).toBe(answers.join('').length);
    const shape = batchShape([sequence]);
    const { labels, rows, weights } = collate([sequence], shape, settings.queries);
    const learned = [...weights.entries()].flatMap(([slot, weight]) => (weight > 0 ? [slot] : []));
    expect(learned.map((slot) => labels[slot])).toEqual(
      learnedPlaces(sequence).map((place) => sequence.tokenIds[place]),
    );
    expect(learned.map((slot) => (rows[slot] as number) + 1)).toEqual(learnedPlaces(sequence));
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1);
  });

  test('each image has places of its own, in the order of the turns, beside samples with one and without', async () => {
    const several = await conversationSequence(twoImages, settings);
    expect(textOf(several).match(/@+/g)).toEqual(['@@', '@@', '@@']);
    const blind = await conversationSequence([user('a'), assistant('b'), user('c'), assistant('d')], settings);
    const one = await conversationSequence([user('a', 'x'), assistant('b')], settings);
    const sequences = [blind, several, one];
    const shape = batchShape(sequences);
    expect(shape).toMatchObject({ batch: 3, images: 5 });
    const { isImage, imageRows, tokenIds } = collate(sequences, shape, settings.queries);
    const shown = [...isImage.entries()].flatMap(([place, is]) => (is ? [place] : []));
    expect(shown.map((place) => imageRows[place])).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
    expect(shown.every((place) => tokenIds[place] === IMAGE)).toBe(true);
    const samples = [[user('a')], twoImages, [user('a', 'x')]].map((turns, index) => ({
      id: String(index),
      source: 's',
      turns: turns as [Turn, ...Turn[]],
    }));
    expect(shownImages(samples, sequences)).toEqual([[undefined], ['a', 'b', 'c'], ['x']]);
  });

  test('is cut at its end; images of what is cut are not shown, and the places of images do not count', async () => {
    const whole = await conversationSequence(twoImages, settings);
    const words = (await letters.encode(textOf(whole).replaceAll('@', ''))).length;
    const before = form.turnWithoutImage.indexOf('{question}') + (family === 'llava' ? 2 : '<Img></Img> '.length * 2);
    for (const cut of [3, 30, 60]) {
      const sequence = await conversationSequence(twoImages, settingsOf(family, words - before - cut));
      expect(sequence.cut).toBe(cut);
      expect(sequence.tokenIds).toEqual(whole.tokenIds.slice(0, sequence.tokenIds.length));
      expect(textOf(sequence).replaceAll('@', '')).toHaveLength(
        textOf(whole).replaceAll('@', '').length - cut - (family === 'llava' ? cutEnds(whole, sequence) : 0),
      );
      expect(sequence.laterImages ?? []).toEqual(
        (whole.laterImages ?? []).filter((place) => place < sequence.tokenIds.length),
      );
      expect(learnedPlaces(sequence)).toEqual(learnedPlaces(whole).filter((place) => place < sequence.tokenIds.length));
    }
    const nothing = await conversationSequence(twoImages, settingsOf(family, 5));
    expect(nothing.answerStart).toBe(nothing.tokenIds.length);
  });

  /** Characters of end marks that are one token. */
  const cutEnds = (whole: Sequence, part: Sequence) =>
    3 * whole.tokenIds.slice(part.tokenIds.length).filter((id) => id === END).length;

  test('a mark in the words of a turn is text', async () => {
    const turns = [user(`What is ${form.imageMark}?`, 'a'), assistant(`It is ${form.imageMark}.`)];
    const sequence = await conversationSequence(turns, settings);
    expect(sequence.laterImages).toBeUndefined();
    expect(textOf(sequence).match(/@+/g)).toEqual(['@@']);
  });
});

test('each sample weighs by its learned tokens alone', async () => {
  const sequences = await Promise.all(
    [twoImages, [user('a'), assistant('b')]].map((turns) => conversationSequence(turns, settingsOf('llava'))),
  );
  const [first, second] = sequences.map((sequence) => learnedTokens([sequence])) as [number, number];
  expect(tokenWeights(sequences, 1)).toEqual([1 / (2 * first), 1 / (2 * second)]);
});

test("the reference's token boundaries are refused by name: it has no conversations", () => {
  const sample = { id: '1', source: 's', turns: [user('a'), assistant('b')] as [Turn, ...Turn[]] };
  const single = { id: '0', source: 's', prompt: 'a', answer: 'b' };
  const check = (form: typeof miniGpt4PromptForm) => () =>
    requireConversations('samples.jsonl', [single, sample], form, '/models/minigpt4');
  expect(check(miniGpt4PromptForm)).not.toThrow();
  expect(check(miniGpt4ReferenceForm)).toThrow(/samples.jsonl:2: turns: .*model.tokenBoundaries/);
});
