/** VLMEvalKit's layout: any file of it by a metric's name, and the benchmarks that take theirs. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type BenchmarkName, benchmarkOf } from '../../../src/evaluation/benchmarks/index.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { plainImage, writeTable } from './official-files.ts';

async function read(name: BenchmarkName, file: string) {
  return benchmarkOf(name).read({ file, images: '/images', extractedImages: await temporaryFolder() });
}

describe("a file of VLMEvalKit's layout", () => {
  const columns = [
    'index',
    'question',
    'hint',
    'A',
    'B',
    'C',
    'D',
    'answer',
    'category',
    'l2-category',
    'split',
    'image',
    'image_path',
  ];
  async function table(rows: Record<string, string | number>[], only = columns): Promise<string> {
    const file = join(await temporaryFolder(), 'table.tsv');
    await writeTable(file, rows, only);
    return file;
  }
  const base64 = async (color: string) => (await plainImage(color)).toString('base64');

  test('options: asked and matched as there, by category; one image or several', async () => {
    const [red, blue] = [await base64('red'), await base64('blue')];
    const file = await table([
      {
        index: 0,
        question: 'Which?',
        hint: 'Look.',
        A: 'red',
        B: 'blue',
        C: 'None',
        answer: 'B',
        category: 'color',
        image: red,
      },
      {
        index: 1,
        question: 'And now?',
        A: 'yes',
        D: 'no',
        answer: 'D',
        category: 'color',
        image: `['${red}', '${blue}']`,
      },
      { index: 2, question: 'Same?', A: 'yes', B: 'no', answer: 'A', category: 'other', image: 0 },
      { index: 3, question: 'Without an image?', A: 'yes', B: 'no', answer: 'A', category: 'other' },
    ]);
    const questions = await read('tsv', file);
    const { ask, score } = benchmarkOf('tsv');
    expect(questions.map(({ laterImages = [] }) => laterImages.length)).toEqual([0, 1, 0]);
    expect(questions[2]?.image).toBe(questions[0]?.image);
    expect(ask(questions[0] as never, 'generated').generate?.question).toBe(
      'Hint: Look.\nQuestion: Which?\nOptions:\nA. red\nB. blue\nC. None\nPlease select the correct answer from the options above. \n',
    );
    const texts = ['It is blue', 'D', 'B'];
    const measures = score(
      questions.map((question, at) => ({ question, choice: undefined, losses: [], text: texts[at] })),
    );
    expect(measures.multipleChoice).toEqual([
      { id: '0', score: 1, groups: { category: 'color' } },
      { id: '1', score: 1, groups: { category: 'color' } },
      { id: '2', score: 0, groups: { category: 'other' } },
    ]);
  });

  test('short answers by the metric that is named, with its settings; paths in a folder of images', async () => {
    const only = ['index', 'question', 'answer', 'image_path'];
    const rows = [
      { index: 'q1', question: 'How much?', answer: "['10', 'ten']", image_path: 'a/1.png' },
      { index: 'q2', question: 'And?', answer: '5', image_path: "['a/1.png', 'a/2.png']" },
    ];
    const source = { file: await table(rows, only), images: '/images', extractedImages: '/none' };
    const { ask, read: readTsv, score } = benchmarkOf('tsv');
    const questions = await readTsv({ ...source, questions: { metric: 'relaxed-accuracy', tolerance: 0.2 } });
    expect(questions.map(({ image, laterImages }) => [image, laterImages])).toEqual([
      ['/images/a/1.png', undefined],
      ['/images/a/1.png', ['/images/a/2.png']],
    ]);
    expect(ask(questions[0] as never, 'generated').generate?.question).toMatch(
      /^How much\?\nAnswer the question using/,
    );
    const texts = ['11.5', '7'];
    const measures = score(
      questions.map((question, at) => ({ question, choice: undefined, losses: [], text: texts[at] })),
    );
    expect(measures.relaxedAccuracy?.map((one) => one.score)).toEqual([1, 0]);
    await expect(readTsv(source)).rejects.toThrow(/question q1 has no options, and no metric .* is named/);
    await expect(readTsv({ ...source, questions: { metric: 'yes-no' } })).rejects.toThrow(/'10', which is neither/);
    await expect(readTsv({ ...source, questions: { metric: 'anls', format: 'csv' } })).rejects.toThrow(
      /questions\.format/,
    );
    await expect(readTsv({ ...source, questions: { metric: 'judge' } })).rejects.toThrow(
      /metric: judge is for questions/,
    );
  });

  test.each<[BenchmarkName, Record<string, string>, object]>([
    [
      'pope',
      { answer: 'Yes', category: 'adversarial,popular' },
      { correct: 0, facts: { categories: 'adversarial,popular' } },
    ],
    [
      'hallusion-bench',
      { index: 'x_VS_chart_0_1_2', answer: 'No' },
      { correct: 1, facts: { of: 'VS/chart/0', figure: '1' } },
    ],
    ['scienceqa-img', { A: 'a', B: 'b', answer: 'B', hint: 'h' }, { correct: 1, context: 'h' }],
    ['mmstar', { A: 'a', B: 'b', answer: 'B' }, { correct: 1 }],
    ['ai2d', { A: 'a', B: 'b', answer: 'A' }, { correct: 0 }],
    ['realworldqa', { A: 'a', B: 'b', answer: 'A' }, { correct: 0 }],
    [
      'mmmu',
      { A: 'a', B: 'b', answer: 'B', category: 'Art Theory', split: 'validation' },
      { groups: { domain: 'Art and Design', subject: 'Art_Theory' } },
    ],
    ['gqa', { answer: 'red' }, { answers: ['red'] }],
    ['textvqa', { answer: "['a', 'a', 'b', 'c']" }, { answers: ['a', 'a', 'b', 'c'] }],
    ['chartqa', { answer: '12', split: 'test_human' }, { answers: ['12'], groups: { split: 'test_human' } }],
    ['docvqa', { answer: "['x y']" }, { answers: ['x y'] }],
  ])('%s takes its file', async (name, cells, wanted) => {
    const rows = [{ index: '5', question: 'Which?', image: await base64('red'), ...cells }];
    const [question] = await read(name, await table(rows));
    expect(question).toMatchObject(wanted);
    expect(await readFile(question?.image ?? '')).toEqual(await plainImage('red'));
  });

  test('POPE: a question of several categories counts in each of them', async () => {
    const rows = [
      { index: 1, question: 'Is it?', answer: 'Yes', category: 'adversarial,popular', image: await base64('red') },
    ];
    const [question] = await read('pope', await table(rows));
    const { score } = benchmarkOf('pope');
    const { accuracy } = score([{ question: question as never, choice: undefined, losses: [], text: 'Yes.' }]);
    expect(accuracy).toEqual([
      { id: 'adversarial/1', question: '1', score: 1, groups: { category: 'adversarial' } },
      { id: 'popular/1', question: '1', score: 1, groups: { category: 'popular' } },
    ]);
  });

  test.each<[string, Record<string, string>, RegExp]>([
    [
      'an answer that is no option',
      { A: 'a', B: 'b', answer: 'C' },
      /table\.tsv:2: answer: 'C' is the letter of no option/,
    ],
    ['no question', { question: '' }, /table\.tsv:2: question: is missing/],
    ['no index', { index: '' }, /table\.tsv:2: index: is missing/],
    ['an image that is no base64', { image: '!?'.repeat(99) }, /table\.tsv:2: image: is not base64/],
    ['a list that is none', { image: `['${'a'.repeat(99)}]` }, /table\.tsv:2: image: is no list as Python writes one/],
    ['a reference to no row', { image: '77' }, /table\.tsv:2: image: the image of 5 is said to be that of 77/],
  ])('%s', async (_, cells, message) => {
    const rows = [{ index: '5', question: 'Which?', image: await base64('red'), ...cells }];
    const source = { extractedImages: await temporaryFolder(), questions: { metric: 'anls' as const } };
    await expect(benchmarkOf('tsv').read({ file: await table(rows), ...source })).rejects.toThrow(message);
  });
});
