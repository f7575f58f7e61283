import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSeedBench, seedBench } from '../../../src/evaluation/benchmarks/seed-bench.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { seedBenchFile, writeSeedBench } from './official-files.ts';

test('reads the questions about images, with the names of their dimensions', async () => {
  const { file } = await writeSeedBench(await temporaryFolder());
  const questions = await readSeedBench(file);
  expect(questions).toHaveLength(4);
  expect(questions[0]).toEqual({
    questionId: '101669',
    dataId: '1454426_2591111986',
    question: 'How many towels are in the image?',
    choices: ['One', 'Two', 'Three', 'Four or more of them'],
    correct: 0,
    dimension: 'Instances Counting',
  });
});

test.each([
  ['an answer that is none', { answer: 'E' }, /questions\[1\]\.answer/],
  ['a dimension without a name', { question_type_id: 77 }, /questions\[1\]\.question_type_id: 77 has no name/],
  ['an id that is there twice', { question_id: '101669' }, /'101669' is also the id of questions\[0\]/],
])('%s is named by place and field', async (_, changes, message) => {
  const content = seedBenchFile();
  Object.assign(content.questions[1] as object, changes);
  const { file } = await writeSeedBench(await temporaryFolder(), content);
  await expect(readSeedBench(file)).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringMatching(message),
  });
});

test('reads seed_bench_bare_list.json: the questions alone, whose dimensions have no names', async () => {
  expect(await readSeedBench('test/fixtures/fidelity/seed_bench_bare_list.json')).toEqual([
    {
      questionId: '5_0',
      dataId: '1454426_2591111986',
      question: 'How many towels?',
      choices: ['One', 'Two', 'Three', 'Four'],
      correct: 0,
      dimension: 'type 5',
    },
  ]);
});

test('names the place in a bare list', async () => {
  const content = seedBenchFile().questions;
  Object.assign(content[1] as object, { answer: 'E' });
  const file = join(await temporaryFolder(), 'questions.json');
  await writeFile(file, JSON.stringify(content));
  await expect(readSeedBench(file)).rejects.toMatchObject({ name: 'InputError', field: '[1].answer' });
});

test.each([
  ['test/fixtures/fidelity/seed_bench_2.json', 'SEED-Bench 2 or a later one'],
  ['test/fixtures/fidelity/aokvqa_test_split.json', 'A-OKVQA'],
  ['test/fixtures/mmbench/mmbench_20_questions_65_rows.tsv', 'MMBench, in which VLMEvalKit has other benchmarks too'],
])('%s is named as what it is', async (file, name) => {
  await expect(readSeedBench(file)).rejects.toMatchObject({
    name: 'InputError',
    problem: expect.stringContaining(`has the layout of ${name}`),
  });
});

async function read(limit?: number) {
  const files = await writeSeedBench(await temporaryFolder());
  return seedBench.read({ ...files, limit, extractedImages: '/none' });
}

test('asks without showing the choices, and ranks their content', async () => {
  const [question] = await read();
  expect(seedBench.ask(question as never, 'ranked')).toEqual({
    question: 'How many towels are in the image?\n',
    answerStart: '',
    answers: ['One', 'Two', 'Three', 'Four or more of them'],
  });
});

test('scores by dimension, and writes what the leaderboard takes', async () => {
  const questions = await read();
  const answered = questions.map((question, index) => ({
    question,
    choice: index < 2 ? question.correct : 0,
    losses: [],
  }));
  expect(seedBench.score(answered)).toEqual({
    accuracy: [
      { id: '101669', score: 1, groups: { dimension: 'Instances Counting' } },
      { id: '104933', score: 1, groups: { dimension: 'Instance Attributes' } },
      { id: '101670', score: 0, groups: { dimension: 'Instances Counting' } },
      { id: '89257', score: 0, groups: { dimension: 'Instance Attributes' } },
    ],
  });
  const folder = await temporaryFolder();
  expect(await seedBench.write?.(answered, folder)).toEqual(['results.json']);
  const [first] = (await readFile(join(folder, 'results.json'), 'utf8')).split('\n');
  expect(JSON.parse(first as string)).toEqual({ question_id: '101669', prediction: 'A' });
});

test('the limit counts questions about images only', async () => {
  expect((await read(3)).map(({ id }) => id)).toEqual(['101669', '104933', '101670']);
});

test('an image outside of the image folder is refused', async () => {
  const content = seedBenchFile();
  Object.assign(content.questions[0] as object, { data_id: '../../secret.jpg' });
  const files = await writeSeedBench(await temporaryFolder(), content);
  await expect(seedBench.read({ ...files, extractedImages: '/none' })).rejects.toThrow(
    'questions[0].data_id: leads out of its folder',
  );
});
