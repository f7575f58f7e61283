/** Questions that can not be divided are named; the command says what it did. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type SplitInput, splitQuestions } from '../../../src/datasets/split/split-questions.ts';
import { printedBy } from '../../cli/in-this-process.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import {
  IMAGES,
  imagesIn,
  makeImages,
  pixels,
  type Question,
  questionsAbout,
  sidesOf,
  split,
  writers,
} from './divided.ts';

beforeAll(makeImages);

describe('what is refused', () => {
  const two = () => questionsAbout([...pixels.keys()].slice(0, 2));
  const refused = async (questions: readonly object[], changes: Partial<SplitInput> = {}) =>
    split(questions as Question[], 'json', changes).then(
      () => 'taken',
      (error: Error) => error.message.replace(/^.*?questions/, 'questions'),
    );

  test.each<[string, () => readonly object[], Partial<SplitInput>, string | RegExp]>([
    [
      'no image of that name',
      () => [{ ...two()[0], image: 'no/such.png' }],
      {},
      /^questions: question 0-0: its image .*no\/such.png: no such file. Check the path$/,
    ],
    [
      'a path out of the folder',
      () => [{ ...two()[0], image: '../a.png' }],
      {},
      /^questions: \[0\].image: leads out of its folder/,
    ],
    ['an address', () => [{ ...two()[0], image: 'https://host/a.png' }], {}, /\[0\].image: is a https address/],
    ['no image at all', () => [{ id: 'x', question: 'What?', answer: 'a' }], {}, /\[0\].image: is missing/],
    ['no question', () => [{ ...two()[0], question: '' }], {}, /\[0\].question: must be a text or a number/],
    [
      'an id twice',
      () => [two()[0] as object, two()[0] as object],
      {},
      "questions: [1].id: '0-0' is also the id of row 1. Correct this row",
    ],
    [
      'a column that is not there',
      two,
      { columns: { type: 'kind' } },
      'questions: kind: no row has a value in this column. Correct its name',
    ],
    [
      'conversations',
      () => [
        { image: 'a.png', conversations: [] },
        { image: 'a.png', conversations: [{}] },
      ],
      {},
      /^questions: has conversations: only questions can be divided/,
    ],
    ['no record', () => [], {}, 'questions: has no questions. Name a file with at least one'],
    [
      'paths without a folder',
      two,
      { images: undefined },
      'questions: names images by their paths. Give their folder (--images)',
    ],
    ['nothing to divide', two, { validation: 0, test: 0 }, /neither validation nor test gets any question/],
    ['shares of all', two, { validation: 0.5, test: 0.5 }, /validation and test take all of its 6 questions/],
    ['numbers above all', two, { validation: 4, test: 3 }, /validation and test take all of its 6 questions/],
    ['fewer images than sides', two, {}, /(test|validation) gets no question: there are 2 images or groups/],
  ])('%s', async (_, questions, changes, message) => {
    expect(await refused(questions(), changes)).toMatch(message);
  });

  test('a file that is no image is named with the question; with skipInvalid its questions are left out and counted', async () => {
    const folder = await temporaryFolder();
    const images = await imagesIn(folder);
    await writeFile(join(images, 'text.png'), 'no image');
    const questions = [...questionsAbout([...pixels.keys()].slice(0, 9)), { ...two()[0], id: 'x', image: 'text.png' }];
    const broken = [...questions, { id: 'y', image: 'text.png', question: 'What?' }] as Question[];
    expect(await refused(questions, { images })).toMatch(/^questions: question x: its image .*text.png: is /);
    const { result, read } = await split(broken, 'csv', { images, skipInvalid: true });
    expect(result.leftOut).toEqual({
      'image: can not be opened': 1,
      'answers: is missing, and there are no choices': 1,
    });
    const sides = await sidesOf({ result, read });
    expect(Object.keys(sides).sort()).toEqual(
      questionsAbout([...pixels.keys()].slice(0, 9))
        .map(({ id }) => id)
        .sort(),
    );
  });

  test('a folder with anything in it stays as it is; what an earlier split wrote is replaced when that is asked', async () => {
    const questions = questionsAbout([...pixels.keys()].slice(0, IMAGES));
    const { file, images, output, result } = await split(questions, 'csv');
    const input = { file, images, output, validation: 0.3, test: 0, seed: 2 };
    await expect(splitQuestions(input)).rejects.toThrow('has an earlier division. Give --replace');
    expect(JSON.parse(await readFile(join(output, 'split.json'), 'utf8'))).toEqual(result);
    await splitQuestions({ ...input, replace: true });
    expect((await readdir(output)).sort()).toEqual(['split.json', 'train.csv', 'validation.csv']);
    await writeFile(join(output, 'mine.txt'), '');
    await expect(splitQuestions({ ...input, replace: true })).rejects.toThrow(
      'mine.txt: was not written by an earlier split',
    );
    expect(await readdir(join(output, '..'))).toEqual(['images', 'out', 'questions']);
  });
});

test('the command shows what is on which side, and what to know about it', async () => {
  const folder = await temporaryFolder();
  const images = await imagesIn(join(folder, 'images'));
  const file = join(folder, 'questions.tsv');
  const plain = questionsAbout(pixels.keys()).map(({ question_type: kind, ...rest }) => ({ ...rest, note: kind }));
  await writers.tsv(file, plain as unknown as Question[]);
  const output = join(folder, 'split');
  const given = ['data', 'split', file, '--images', images, '--seed', '3'];
  const untyped = await printedBy(...given, '--output', output);
  expect(untyped).toContain('The questions have no types: only their number was divided by the shares.');
  expect(untyped).toContain('11 images look nearly like another: 1 groups, each on one side.');
  expect(untyped).toContain(`Wrote ${join(output, 'split.json')}.`);
  const typed = await printedBy(...given, '--output', join(folder, 'typed'), '--column', 'type=note', '--test', '0.2');
  expect(typed).toMatch(/color .* \d+ .* \d+ .* \d+/);
  await expect(printedBy(...given, '--output', join(folder, 'x'), '--column', 'kind=note')).rejects.toThrow();
});
