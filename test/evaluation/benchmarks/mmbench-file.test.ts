import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { mmbench } from '../../../src/evaluation/benchmarks/mmbench.ts';
import { groupIndex, type MmbenchQuestion, readMmbench } from '../../../src/evaluation/benchmarks/mmbench-file.ts';
import { chooseFromTexts } from '../../../src/evaluation/extract-choice.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { type MmbenchRow, mmbenchRows, plainImage, writeTable } from './official-files.ts';

async function read(rows: MmbenchRow[], limit?: number, columns?: string[]) {
  const folder = await temporaryFolder();
  const file = join(folder, 'mmbench.tsv');
  await writeTable(file, rows, columns);
  const extractedImages = join(folder, 'images');
  return { file, extractedImages, questions: await readMmbench(file, { extractedImages, limit }) };
}

test('reads options, hints with line breaks, tabs and quotes, and what kind of question it is', async () => {
  const { questions } = await read(await mmbenchRows());
  expect(questions).toHaveLength(9);
  expect(questions[1]).toMatchObject({
    index: 7,
    question: 'Is "it" red?\tOr not?',
    hint: 'A hint\nof two lines',
    options: [
      { letter: 'A', text: 'yes' },
      { letter: 'B', text: 'no' },
    ],
    answer: 'B',
    category: 'attribute_comparison',
    l2Category: 'perception',
    split: 'dev',
  });
  expect(questions[0]?.hint).toBeUndefined();
  expect(questions.map(groupIndex)).toEqual([0, 7, 12, 0, 0, 0, 7, 12, 12]);
});

test('reads the Chinese files and those of v1.1, which have the same columns', async () => {
  const [row] = (await mmbenchRows()) as [MmbenchRow];
  const chinese = {
    ...row,
    question: '图中的物体是什么颜色？',
    hint: '提示\n两行',
    A: '红色',
    B: '蓝色',
    C: '绿色',
    D: '黄色',
  };
  const { questions } = await read([{ ...chinese, answer: 'B' }]);
  expect(questions).toMatchObject([{ question: '图中的物体是什么颜色？', hint: '提示\n两行', answer: 'B' }]);
  expect(questions[0]?.options.map(({ text }) => text)).toEqual(['红色', '蓝色', '绿色', '黄色']);
});

test('takes a byte order mark at the start for no part of the file', async () => {
  const { file, extractedImages, questions } = await read(await mmbenchRows());
  await writeFile(file, `\ufeff${await readFile(file, 'utf8')}`);
  expect(await readMmbench(file, { extractedImages })).toEqual(questions);
});

test('decodes each image once; a row that refers to another shares its image', async () => {
  const { questions, extractedImages } = await read(await mmbenchRows());
  expect(await readdir(extractedImages)).toHaveLength(2);
  const [first, second, third, rotated] = questions.map(({ image }) => image);
  expect(await readFile(first as string)).toEqual(await plainImage('red'));
  expect(await readFile(second as string)).toEqual(await plainImage('blue'));
  expect([third, rotated]).toEqual([first, first]);
});

test('a reference may come before the row that has the image', async () => {
  const { questions } = await read((await mmbenchRows()).reverse());
  expect(new Set(questions.filter((one) => groupIndex(one) !== 7).map(({ image }) => image)).size).toBe(1);
});

test('what every pandas takes for missing is no option, unless it is the answer; `None` is a word', async () => {
  const [row] = (await mmbenchRows()) as [MmbenchRow];
  const lettersOf = async (changes: MmbenchRow) =>
    (await read([{ ...row, ...changes }])).questions[0]?.options.map(({ letter }) => letter);
  expect(await lettersOf({ C: 'nan', B: 'N/A' })).toEqual(['A', 'D']);
  expect(await lettersOf({ C: 'None' })).toEqual(['A', 'B', 'C', 'D']);
  expect(await lettersOf({ C: 'N/A', answer: 'C' })).toEqual(['A', 'B', 'C', 'D']);
});

describe('an option `None`', () => {
  const none = async (file: string) =>
    readMmbench(join('test/fixtures', file), { extractedImages: await temporaryFolder() });

  test.each([
    ['bugs/08-mmbench-none/none.tsv', ['None', 'Two', 'One', 'Three'], 'A'],
    ['bugs/08-mmbench-none/none-wrong.tsv', ['None', 'Two', 'One', 'Three'], 'B'],
    ['mmbench/mmbench_right_option_is_None.tsv', ['None', 'two', 'three'], 'A'],
  ])('in %s is shown and ranked', async (file, texts, answer) => {
    const [question] = await none(file);
    expect(question).toMatchObject({ answer, options: texts.map((text) => expect.objectContaining({ text })) });
    const { question: shown, answers } = mmbench.ask({ ...(question as MmbenchQuestion), id: '1' }, 'ranked');
    expect(shown).toContain('(A) None (B) ');
    expect(answers).toHaveLength(texts.length);
  });

  test('is none to exact matching, as pandas reads it for VLMEvalKit: such a question counts as wrong there', async () => {
    const questions = await none('mmbench/mmbench_right_option_is_None.tsv');
    const written = questions.map((question) => ({
      question: { ...question, id: String(question.index) },
      choice: undefined,
      losses: [],
      text: String(question.answer),
    }));
    const answered = await chooseFromTexts(mmbench as never, written);
    const measures = mmbench.score(answered as never);
    expect(measures.circular).toMatchObject([{ score: 0 }]);
    expect(measures.lenientCircular).toMatchObject([{ score: 1 }]);
  });
});

test('the limit takes whole questions, with their rotations', async () => {
  const { questions } = await read(await mmbenchRows(), 2);
  expect(questions.map(({ index }) => index)).toEqual([0, 7, 1000000, 2000000, 3000000, 1000007]);
});

test('a test file has no answers', async () => {
  const columns = ['index', 'question', 'A', 'B', 'C', 'D', 'image'];
  const { questions } = await read(await mmbenchRows(), undefined, columns);
  expect(questions.every(({ answer, category }) => answer === undefined && category === undefined)).toBe(true);
});

describe('a wrong file is named with line and column', () => {
  const change = async (changes: MmbenchRow, place = 1) =>
    (await mmbenchRows()).map((row, index) => (index === place ? { ...row, ...changes } : row));

  test.each([
    ['an answer that is no option', { answer: 'D' }, /mmbench\.tsv:\d+: answer: 'D' is the letter of no option/],
    ['an index that is no number', { index: 'seven' }, /index: must be a whole number/],
    ['an index that is there twice', { index: 0 }, /index: 0 is there twice/],
    ['one option only', { B: '' }, /at least two options/],
    ['an image that is nowhere', { image: '99' }, /image: the image of 7 is said to be that of 99, which has none/],
    ['an image that is no base64', { image: '!?'.repeat(100) }, /image: is not base64/],
  ])('%s', async (_, changes, message) => {
    const rows = await change(changes);
    await expect(read(rows)).rejects.toMatchObject({ name: 'InputError', message: expect.stringMatching(message) });
  });

  test('a column that is missing', async () => {
    const columns = ['index', 'question', 'A', 'B', 'answer'];
    await expect(read(await mmbenchRows(), undefined, columns)).rejects.toMatchObject({
      name: 'InputError',
      field: 'image',
      line: 2,
    });
  });

  test('a file that was cut short', async () => {
    const { file, extractedImages } = await read(await mmbenchRows());
    const { length } = await readFile(file);
    await truncate(file, length - 40);
    await expect(readMmbench(file, { extractedImages })).rejects.toMatchObject({ name: 'InputError', file });
  });

  test('no file, and an empty one', async () => {
    const folder = await temporaryFolder();
    const options = { extractedImages: join(folder, 'images') };
    await expect(readMmbench(join(folder, 'none.tsv'), options)).rejects.toThrow('no such file');
    await writeFile(join(folder, 'empty.tsv'), '');
    await expect(readMmbench(join(folder, 'empty.tsv'), options)).rejects.toThrow('has no questions');
  });
});
