import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import type { AnsweredQuestion } from '../../../src/evaluation/benchmarks/benchmark.ts';
import { questions } from '../../../src/evaluation/benchmarks/questions.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const records = [
  {
    id: 'a',
    image: 'a.jpg',
    question: 'Which animal?',
    choices: ['cat', 'dog', 'cat'],
    answer: 'C',
    question_type: 'x',
  },
  { id: 'b', image: 'b.jpg', question: 'What is the total?', answers: ['12.50'], question_type: 'y' },
  { id: 'c', image: 'b.jpg', question: 'Which shop?', answers: ['Aldi Nord'], question_type: 'x' },
];

async function read(settings: object = {}, rows: object[] = records) {
  const file = join(await temporaryFolder(), 'questions.json');
  await writeFile(file, JSON.stringify(rows));
  return questions.read({ file, images: '/pictures', extractedImages: '/none', questions: settings });
}

type Question = Awaited<ReturnType<typeof questions.read>>[number];
const answer = (question: Question, given: Partial<AnsweredQuestion>) =>
  ({ question, choice: undefined, losses: [], ...given }) as AnsweredQuestion<Question>;

test('choices are ranked as in training; short answers are written, after the instruction', async () => {
  const [choice, open] = await read({ metric: 'anls', instruction: 'Answer with a single word or phrase.' });
  expect(questions.ask(choice as Question, 'ranked')).toEqual({
    question: 'Which animal?\n(A) cat (B) dog (C) cat\n',
    answerStart: 'The answer is',
    answers: ['The answer is (A) cat', 'The answer is (B) dog', 'The answer is (C) cat'],
  });
  const words = 'What is the total?\nAnswer with a single word or phrase.\n';
  const generate = { question: words, maximumNewTokens: 32 };
  expect(questions.ask(open as Question, 'ranked')).toEqual({
    question: words,
    answerStart: '',
    answers: [],
    generate,
  });
  expect(open).toMatchObject({ image: '/pictures/b.jpg' });
});

test('a file with both kinds has a score of all, and one of each', async () => {
  const [choice, total, shop] = (await read({ metric: 'anls' })) as [Question, Question, Question];
  const answered = [
    answer(choice, { choice: 0 }),
    answer(total, { text: ' 12.50 ' }),
    answer(shop, { text: 'Aldi Sued' }),
  ];
  const scores = questions.score(answered);
  expect(Object.keys(scores)).toEqual(['accuracy', 'multipleChoice', 'anls']);
  // Two of the choices have the same words.
  expect(scores.multipleChoice).toEqual([{ id: 'a', score: 1, groups: { 'question type': 'x' } }]);
  expect(scores.anls).toEqual([
    { id: 'b', score: 1, groups: { 'question type': 'y' } },
    { id: 'c', score: 1 - 3 / 9, groups: { 'question type': 'x' } },
  ]);
  expect(scores.accuracy).toEqual([...(scores.multipleChoice ?? []), ...(scores.anls ?? [])]);
});

test('a number may differ by the tolerance of the config', async () => {
  const scoreOf = async (settings: object) => {
    const [, total] = (await read(settings)) as [Question, Question];
    return questions.score([answer(total, { text: '12.0' })]).relaxedAccuracy?.[0]?.score;
  };
  expect(await scoreOf({ metric: 'relaxed-accuracy' })).toBe(1);
  expect(await scoreOf({ metric: 'relaxed-accuracy', tolerance: 0.01 })).toBe(0);
});

test('with skipInvalid, questions that do not fit or that the metric can not score by are left out, and counted', async () => {
  const file = join(await temporaryFolder(), 'questions.json');
  const wrong = [{ image: 'c.jpg' }, { image: 'd.jpg', question: 'Which?', choices: ['a', 'b'], answer: 'z' }];
  await writeFile(file, JSON.stringify([...records, ...wrong]));
  const settings = { metric: 'vqa-accuracy', skipInvalid: true } as const;
  const source = { file, images: '/pictures', extractedImages: '/none', questions: settings };
  expect((await questions.read(source)).map(({ id }) => id)).toEqual(['a']);
  expect(await questions.check?.(source)).toEqual({
    questions: 1,
    images: ['/pictures/a.jpg'],
    leftOut: {
      'question: must be a text or a number': 1,
      'answer: … is neither a choice nor the letter of one': 1,
      'answers: has 1 references, and VQA accuracy takes at least 4': 2,
    },
  });
  const only = read({ metric: 'vqa-accuracy', skipInvalid: true }, records.slice(1));
  await expect(only).rejects.toMatchObject({ field: 'answers', problem: 'no question can be scored' });
});

test('references that the metric can not score by are named', async () => {
  await expect(read({ metric: 'vqa-accuracy' })).rejects.toMatchObject({
    field: 'answers',
    problem: 'question b has 1 references, and VQA accuracy takes at least 4',
  });
});

test('images inside of Parquet are kept by their content', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'questions.parquet');
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(
    `COPY (SELECT i AS id, 'What?' AS question, 'cat' AS answer, {'bytes': 'same'::BLOB, 'path': 'x.jpg'} AS image
       FROM range(2) t(i)) TO '${file}' (FORMAT parquet)`,
  );
  connection.closeSync();
  instance.closeSync();
  const extractedImages = join(folder, 'images');
  const read = await questions.read({ file, extractedImages });
  expect(read.map(({ id }) => id)).toEqual(['0', '1']);
  expect(await readdir(extractedImages)).toHaveLength(1);
  expect(await readFile(read[0]?.image as string, 'utf8')).toBe('same');
});
