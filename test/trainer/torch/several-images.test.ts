/** Questions that show several images: what the trainer on PyTorch writes is what transformers writes by the chat template. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { writeJsonLines } from '../../../src/core/write-file.ts';
import { writeAskingFiles } from '../../../src/model/files/asking-files.ts';
import { type EvaluationQuestion, evaluationAnswerSchema } from '../../../src/trainer/job-files.ts';
import { evaluate } from '../../../src/trainer/jobs/evaluate/evaluate.ts';
import { recordingReporter } from '../../helpers/jobs.ts';
import { writeTinyModel, writeTinyQuestions } from '../../helpers/tiny-model.ts';
import { runTorch, TORCH_TIMEOUTS, torchIsSetUp, torchPython } from './torch-jobs.ts';

vi.setConfig(TORCH_TIMEOUTS);

let folder: string;
let questions: EvaluationQuestion[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'several-images-'));
  const { images } = await writeTinyQuestions(path.join(folder, 'questions'), 4);
  const [one, other] = (await readdir(images)).map((name) => path.join(images, name)) as [string, string];
  const asked = {
    question: 'Which of them is red?',
    answerStart: 'The answer is',
    answers: ['The answer is (A) dog', 'The answer is (B) cat'],
    generate: { question: 'Which of them is red?', maximumNewTokens: 8 },
  };
  questions = [
    { question_id: 'one', image: one, ...asked },
    { question_id: 'two', image: one, laterImages: [other], ...asked },
    { question_id: 'turned', image: other, laterImages: [one], ...asked },
    { question_id: 'three', image: one, laterImages: [other, one], ...asked },
  ];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function jobOf(model: string, asked: readonly EvaluationQuestion[] = questions) {
  const directory = await mkdtemp(path.join(folder, 'job-'));
  const file = path.join(directory, 'asked.jsonl');
  await writeJsonLines(file, asked);
  const output = path.join(directory, 'answers.jsonl');
  return { directory, job: { kind: 'evaluate' as const, model, questions: file, batchSize: 2, output } };
}

async function answersOf(model: string, asked?: readonly EvaluationQuestion[]) {
  const { directory, job } = await jobOf(model, asked);
  await runTorch(job, directory, { processes: 1 });
  return readJsonLines(job.output, evaluationAnswerSchema);
}

describe.skipIf(!torchIsSetUp)('answers about several images', () => {
  test.each(['llava', 'llava_next'])('%s: are those of transformers, and each image counts', async (kind) => {
    const model = path.join(folder, kind);
    if (kind === 'llava') {
      await writeTinyModel(model, { family: 'llava', seed: 3 });
      await writeAskingFiles(model);
    } else await torchPython('make-chat-model.py', kind, model);
    const answers = await answersOf(model);
    const turns = questions.map(({ image, laterImages = [], question }) => [
      { role: 'user', content: [...[image, ...laterImages].map((file) => ({ image: file })), { text: question }] },
    ]);
    const file = path.join(folder, `${kind}.json`);
    await writeFile(file, JSON.stringify(turns.map((one) => ({ turns: one, generation: true }))));
    const theirs: string[] = JSON.parse(await torchPython('check-asking.py', 'written', model, file, '8'));
    expect(answers.map(({ text }) => text)).toEqual(theirs.map((text) => text.trim()));
    const losses = answers.map((answer) => answer.losses);
    for (const one of losses) expect(one).toHaveLength(2);
    expect(new Set(losses.map(String)).size).toBe(4);
  });

  test.each([
    ['paligemma', 'question two: shows 2 images, and PaliGemma takes one'],
    ['mllama', 'question two: shows 2 images, and Mllama takes one'],
  ])('%s refuses them by name', async (kind, message) => {
    await torchPython('make-family.py', folder, kind);
    const { directory, job } = await jobOf(path.join(folder, kind), questions.slice(0, 2));
    await expect(runTorch(job, directory, { processes: 1 })).rejects.toThrow(message);
  });
});

test('on TensorFlow a question with several images is refused by name', async () => {
  const model = path.join(folder, 'ours');
  await writeTinyModel(model);
  const { job } = await jobOf(model);
  await expect(evaluate(job, recordingReporter())).rejects.toMatchObject({
    name: 'InputError',
    problem: 'question two shows 2 images, and on TensorFlow an answer is about one',
  });
});
