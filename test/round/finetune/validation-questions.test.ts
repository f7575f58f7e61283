import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { readAokvqa } from '../../../src/datasets/aokvqa.ts';
import { directAnswerScore } from '../../../src/evaluation/benchmarks/aokvqa.ts';
import { finetune } from '../../../src/round/finetune/finetune.ts';
import { validationQuestions } from '../../../src/round/finetune/validation-questions.ts';
import { validationScoreSchema } from '../../../src/trainer/jobs/finetune/validation.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { writeTinyModel } from '../../helpers/tiny-model.ts';
import { writeOwnRun } from '../own-questions-run.ts';
import { tinyContext, writeTinyRun } from '../tiny-run.ts';

const questionsFile = 'data/A-OKVQA/aokvqa_v1p0_val.json';

async function contextIn(folder: string) {
  const model = path.join(folder, 'model');
  await writeTinyModel(model);
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    model: { path: model },
    finetune: { ...tiny.finetune, epochs: 2, stepsPerEpoch: 3, keep: 'best-validation' },
  }));
  return tinyContext(config, { trainer: undefined });
}

test('each choice has its direct-answer score; questions that do not count are left out', async () => {
  const folder = await temporaryFolder();
  const context = await contextIn(folder);
  const file = path.join(folder, questionsFile);
  const [first, ...others] = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, JSON.stringify([{ ...first, difficult_direct_answer: true }, ...others]));
  const counted = (await readAokvqa(file)).filter(({ difficult_direct_answer }) => !difficult_direct_answer);
  const asked = await validationQuestions(context);
  expect(asked.map(({ question_id }) => question_id)).toEqual(counted.map(({ question_id }) => question_id));
  expect(asked.map(({ scores }) => scores)).toEqual(
    counted.map(({ choices, direct_answers }) => choices.map((choice) => directAnswerScore(choice, direct_answers))),
  );
  expect(Math.max(...asked.flatMap(({ scores }) => scores))).toBe(1);
});

test('without direct answers there is nothing to choose by', async () => {
  const folder = await temporaryFolder();
  const context = await contextIn(folder);
  const file = path.join(folder, questionsFile);
  const questions = JSON.parse(await readFile(file, 'utf8')) as object[];
  await writeFile(file, JSON.stringify(questions.map((one) => ({ ...one, difficult_direct_answer: true }))));
  await expect(validationQuestions(context)).rejects.toThrow(/no question has direct answers that count/);
});

test('a finetune with keep: best-validation scores the state after each epoch', async () => {
  const context = await contextIn(await temporaryFolder());
  const directory = path.join(context.run.root, 'round-0', 'finetune');
  await finetune(context);
  const scores = await readJsonLines(path.join(directory, 'validation.jsonl'), validationScoreSchema);
  expect(scores.map(({ step }) => step)).toEqual([3, 6]);
  expect(await finetune(context)).toMatchObject({ reused: true });
});

test('of questions of your own those with choices are ranked, with 1 for the right one', async () => {
  const { file } = await writeOwnRun();
  const asked = await validationQuestions(await tinyContext(file));
  expect(asked.map(({ question_id }) => question_id)).toEqual([0, 2, 4, 6, 8, 10].map((number) => `frage ${number}`));
  expect(asked.map(({ scores }) => scores.reduce((sum, score) => sum + score, 0))).toEqual(asked.map(() => 1));
  expect(asked[1]?.scores).toEqual([0, 0, 1, 0]);
});
