import { expect, test } from 'vitest';
import { readSeedBench } from '../../src/datasets/seed-bench.ts';
import { seedBenchFile, writeSeedBench } from '../evaluation/benchmarks/official-files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

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
  ['an id that is there twice', { question_id: '101669' }, /'101669' is the id of questions\[0\] too/],
])('%s is named by place and field', async (_, changes, message) => {
  const content = seedBenchFile();
  Object.assign(content.questions[1] as object, changes);
  const { file } = await writeSeedBench(await temporaryFolder(), content);
  await expect(readSeedBench(file)).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringMatching(message),
  });
});
