/** Files of the layouts in which benchmarks are published, small and made. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, test } from 'vitest';
import { type BenchmarkName, benchmarkOf } from '../../../src/evaluation/benchmarks/index.ts';
import { summarizeMeasures } from '../../../src/evaluation/summarize-measures.ts';
import { hashQuestions } from '../../../src/round/evaluation-sets.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { plainImage } from './official-files.ts';

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

  test('ScienceQA: places of answers in 64 bits, as `datasets` writes them', async () => {
    const rest = `'' AS hint, 'grade8' AS grade, 'natural science' AS subject, 'physics' AS topic`;
    const rows = (answer: number) =>
      `SELECT $image AS image, 'Which?' AS question, ['a', 'b'] AS choices, ${answer}::BIGINT AS answer, ${rest}`;
    expect(await read('scienceqa-img', await parquet(rows(1)))).toMatchObject([{ correct: 1 }]);
    await expect(read('scienceqa-img', await parquet(rows(2)))).rejects.toThrow(/answer: is the place of no choice/);
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
