/** Files of the layouts in which benchmarks are published, small and made. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, test } from 'vitest';
import { type BenchmarkName, benchmarkOf } from '../../../src/evaluation/benchmarks/index.ts';
import { summarizeMeasures } from '../../../src/evaluation/summarize-measures.ts';
import { hashQuestions } from '../../../src/round/evaluation-sets.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { plainImage, writeTable } from './official-files.ts';

async function put(folder: string, name: string, content: string | object): Promise<string> {
  const file = join(folder, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

async function read(name: BenchmarkName, file: string, more: { limit?: number; images?: string } = {}) {
  return benchmarkOf(name).read({ file, images: '/images', extractedImages: await temporaryFolder(), ...more });
}

/** Rows as SQL; `$image` stands for one as `datasets` writes it. */
async function parquet(rows: string): Promise<string> {
  const file = join(await temporaryFolder(), 'rows.parquet');
  const hex = (await plainImage('red')).toString('hex').replace(/../g, '\\x$&');
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const image = `{'bytes': '${hex}'::BLOB, 'path': 'a.jpg'}`;
  await connection.run(`COPY (${rows.replaceAll('$image', image)}) TO '${file}' (FORMAT parquet)`);
  return file;
}

describe('Parquet, with images inside', () => {
  test('MMStar: an image is written once, and questions are about it', async () => {
    const file =
      await parquet(`SELECT i AS index, 'What?' || chr(10) || 'Options: A: red, B: a dog, C: 3.5, D: No.' AS question, $image AS image,
      'C' AS answer, 'math' AS category, 'geometry' AS l2_category, {'source': 'made'} AS meta_info FROM range(3) AS t(i)`);
    const questions = await read('mmstar', file);
    expect(new Set(questions.map(({ image }) => image)).size).toBe(1);
    expect(await readFile(questions[0]?.image ?? '')).toEqual(await plainImage('red'));
    expect(questions[2]).toMatchObject({ id: '2', choices: ['red', 'a dog', '3.5', 'No'], correct: 2 });
    expect(benchmarkOf('mmstar').ask(questions[0] as never, 'ranked').answers).toContain('The answer is (B) a dog');
    expect(await benchmarkOf('mmstar').check?.({ file })).toEqual({ questions: 3, images: [] });
  });

  test('MMMU: images are those that the words show, in the order of their numbers', async () => {
    const other = (await plainImage('blue')).toString('hex').replace(/../g, '\\x$&');
    const file =
      await parquet(`SELECT 'validation_Art_1' AS id, 'Compare <image 1> and <image 2>.' AS question, '[''same'', "it''s not"]' AS options,
      $image AS image_1, {'bytes': '${other}'::BLOB, 'path': 'b.png'} AS image_2, $image AS image_3, 'B' AS answer, 'multiple-choice' AS question_type
      UNION ALL SELECT 'validation_Math_2', 'How many in <image 1>?', '[]', $image, NULL, NULL, '[''1/2'', ''0.5'']', 'open'`);
    const [first, second] = await read('mmmu', file);
    expect(await readFile(first?.image ?? '')).toEqual(await plainImage('red'));
    expect(first?.laterImages).toHaveLength(1);
    expect(await readFile(first?.laterImages?.[0] ?? '')).toEqual(await plainImage('blue'));
    expect(first).toMatchObject({
      choices: ['same', "it's not"],
      correct: 1,
      groups: { domain: 'Art and Design', subject: 'Art' },
    });
    expect(second).toMatchObject({ answers: ['1/2', '0.5'], groups: { domain: 'Science', subject: 'Math' } });
    expect(second?.laterImages).toBeUndefined();
  });

  test('ScienceQA: rows without an image are no part of it', async () => {
    const rest = `'' AS hint, 'grade8' AS grade, 'natural science' AS subject, 'physics' AS topic`;
    const file =
      await parquet(`SELECT $image AS image, 'Which?' AS question, ['a', 'b'] AS choices, 1 AS answer, ${rest}
      UNION ALL SELECT NULL, 'Other?', ['a', 'b'], 0, ${rest}`);
    const questions = await read('scienceqa-img', file);
    expect(questions).toHaveLength(1);
    expect(questions[0]).toMatchObject({ correct: 1, groups: { grade: '7 to 12', context: 'image' } });
  });

  test('a wrong value is named by row and column', async () => {
    const file = await parquet(`SELECT 'Which?' AS question, ['a', 'b'] AS options, '2' AS answer, $image AS image`);
    await expect(read('ai2d', file)).rejects.toThrow(/rows\.parquet.*\[0\]\.answer: is the place of no choice/);
  });
});

describe('MME as it is released', () => {
  const words = 'Is it red? Please answer yes or no.\tYes\nIs it blue? Please answer yes or no.\tNo\n';

  async function release() {
    const folder = await temporaryFolder();
    await put(folder, 'count/0001.jpg', 'x');
    await put(folder, 'count/0001.txt', words);
    await put(folder, 'posters/images/tt1.png', 'x');
    await put(folder, 'posters/questions_answers_YN/tt1.txt', words);
    return folder;
  }

  test('images are beside the questions, or in a folder of their own', async () => {
    const folder = await release();
    const questions = await read('mme', folder);
    expect(questions.map(({ id, image }) => [id, image])).toEqual([
      ['count/0001#1', join(folder, 'count/0001.jpg')],
      ['count/0001#2', join(folder, 'count/0001.jpg')],
      ['posters/tt1#1', join(folder, 'posters/images/tt1.png')],
      ['posters/tt1#2', join(folder, 'posters/images/tt1.png')],
    ]);
    const texts = ['Yes', 'No.', 'yes', 'Yes'];
    const { score, combine } = benchmarkOf('mme');
    const measures = score(
      questions.map((question, at) => ({ question, choice: undefined, losses: [], text: texts[at] })),
    );
    const combined = combine?.(summarizeMeasures(measures, { samples: 10, seed: 1 }));
    expect(combined).toEqual({
      perception: { value: 250, unit: 'points', groups: { category: { count: 200, posters: 50 } } },
    });
  });

  test('its hash follows every file of questions', async () => {
    const folder = await release();
    const before = await hashQuestions({ benchmark: 'mme', file: folder });
    await put(folder, 'count/0001.txt', words.replace('red', 'big'));
    expect(await hashQuestions({ benchmark: 'mme', file: folder })).not.toBe(before);
  });

  test.each([
    ['a question without a label', 'count/0001.txt', 'Is it red?\n', /count\/0001\.txt:1: must be a question, a tab/],
    ['one question about an image', 'count/0001.txt', 'Is it red?\tYes\n', /count\/0001 has 1 of two questions/],
    ['an image that is not there', 'count/0002.txt', words, /count\/0002\.txt: is about an image that is not there/],
  ])('%s', async (_, name, content, message) => {
    const folder = await release();
    await put(folder, name, content);
    await expect(read('mme', folder)).rejects.toThrow(message);
  });
});

describe('VQA: questions, and annotations beside them', () => {
  const question = { question_id: 7, image_id: 42, question: 'What?' };
  const questions = 'v2_OpenEnded_mscoco_val2014_questions.json';
  const annotations = 'v2_mscoco_val2014_annotations.json';
  const given = (id: number, count = 10) => ({
    question_id: id,
    question_type: 'what',
    answer_type: 'other',
    answers: Array.from({ length: count }, (_, at) => ({ answer: 'red', answer_id: at + 1 })),
  });

  async function files(annotated?: object[]) {
    const folder = await temporaryFolder();
    await put(folder, 'images/COCO_val2014_000000000042.jpg', 'x');
    if (annotated) await put(folder, annotations, { annotations: annotated });
    return { folder, file: await put(folder, questions, { questions: [question] }) };
  }

  test('an image is found by its number', async () => {
    const { folder, file } = await files([given(7)]);
    const [found] = await read('vqav2', file, { images: join(folder, 'images') });
    expect(found).toMatchObject({ id: '7', image: join(folder, 'images/COCO_val2014_000000000042.jpg') });
    expect(benchmarkOf('vqav2').content(found as never)).toMatchObject({ imageId: 42, answers: Array(10).fill('red') });
  });

  test('without annotations there is nothing to score; with them the hash is of both', async () => {
    const { folder, file } = await files();
    const [found] = await read('vqav2', file);
    expect(
      benchmarkOf('vqav2').score([{ question: found as never, choice: undefined, losses: [], text: 'red' }]),
    ).toEqual({});
    const before = await hashQuestions({ benchmark: 'vqav2', file });
    await put(folder, annotations, { annotations: [given(7)] });
    expect(await hashQuestions({ benchmark: 'vqav2', file })).not.toBe(before);
  });

  test('a question without its annotation, and too few answers, are named', async () => {
    await expect(read('vqav2', (await files([given(8)])).file)).rejects.toThrow(
      /annotations: has no answers to question 7/,
    );
    await expect(read('ok-vqa', (await files([given(7, 3)])).file)).rejects.toThrow(/question 7 has 3 references/);
  });
});

describe('bad input names file, record and field', () => {
  const pope = { question_id: 1, image: 'a.jpg', text: 'Is it?', label: 'yes' };
  const hallusion = {
    category: 'VD',
    subcategory: 'x',
    visual_input: '1',
    set_id: '0',
    figure_id: '0',
    question_id: '0',
  };
  test.each<[BenchmarkName, string, string | object, RegExp]>([
    ['pope', 'coco_pope_random.json', `${JSON.stringify(pope)}\n{"question_id": 2}`, /random\.json:2: image: /],
    ['pope', 'x_pope_popular.json', `${JSON.stringify({ ...pope, label: 'maybe' })}\n`, /popular\.json.*label/],
    [
      'pope',
      'pope.jsonl',
      `${JSON.stringify(pope)}\n`.repeat(2),
      /id: the id '1' of record 2 is also that of record 1/,
    ],
    ['pope', 'pope.jsonl', JSON.stringify({ ...pope, image: '../a.jpg' }), /leads out of its folder/],
    [
      'scienceqa-img',
      'problems.json',
      { 3: { split: 'test', image: 'i.png', choices: ['a'] } },
      /problems\.json: \["3"\]\.question/,
    ],
    ['gqa', 'questions.json', { 9: { question: 'What?', answer: 'x' } }, /questions\.json: \["9"\]\.imageId/],
    ['textvqa', 'val.json', { data: [{ question_id: 1, question: 'x' }] }, /val\.json.*data\[0\]\.image_id/],
    ['docvqa', 'val.json', { questions: [] }, /val\.json.*data/],
    ['chartqa', 'test_human.json', [{ imgname: 'a.png', query: 'x' }], /test_human\.json.*\[0\]\.label/],
    ['vizwiz', 'val.json', [{ image: 'a.png' }], /val\.json.*\[0\]\.question/],
    [
      'hallusion-bench',
      'h.json',
      [{ ...hallusion, question: 'x', gt_answer: '2', filename: 'a' }],
      /h\.json.*\[0\]\.gt_answer/,
    ],
    [
      'seed-bench-2',
      's.json',
      { questions: [{ subpart: 'Single-Image & Text Comprehension' }] },
      /s\.json: questions\[0\]\./,
    ],
    ['seed-bench-2', 's.json', { questions: [{ subpart: 'Image Generation' }] }, /has none of Single-Image/],
    [
      'mmmu',
      'm.jsonl',
      '{"id": "validation_Art_1", "question": "x", "options": "[a", "question_type": "open"}\n',
      /m\.jsonl.*options/,
    ],
  ])('%s: %s', async (name, file, content, message) => {
    const error = await read(name, await put(await temporaryFolder(), file, content)).catch(
      (caught: unknown) => caught,
    );
    expect(error).toMatchObject({ name: 'InputError', message: expect.stringMatching(message) });
  });
});

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
      { id: 'adversarial/1', score: 1, groups: { category: 'adversarial' } },
      { id: 'popular/1', score: 1, groups: { category: 'popular' } },
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

test('ranked yes and no are scored like the word that is written', async () => {
  const file = await put(
    await temporaryFolder(),
    'pope.jsonl',
    `{"question_id": 1, "image": "a.jpg", "text": "Is it?", "label": "no"}\n`,
  );
  const [question] = await read('pope', file);
  const { ask, score } = benchmarkOf('pope');
  expect(ask(question as never, 'ranked')).toEqual({ question: 'Is it?', answerStart: '', answers: ['Yes', 'No'] });
  const scoreOf = (choice: number) =>
    score([{ question: question as never, choice, losses: [1, 2] }]).accuracy?.[0]?.score;
  expect([scoreOf(0), scoreOf(1)]).toEqual([0, 1]);
});

test('the limit takes questions from the start of the file', async () => {
  const file = 'test/fixtures/benchmarks/docvqa/val_v1.0_withQT.json';
  expect((await read('docvqa', file, { limit: 3 })).map(({ id }) => id)).toEqual(['49153', '49154', '49155']);
});
