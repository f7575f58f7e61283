/** Questions that show several images: what both trainers write is what transformers writes by the chat template. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { writeJsonLines } from '../../../src/core/write-file.ts';
import { familyOf } from '../../../src/model/families/index.ts';
import { miniGpt4ReferenceForm } from '../../../src/model/families/minigpt4/prompt.ts';
import { writeAskingFiles } from '../../../src/model/files/asking-files.ts';
import { readModelConfig } from '../../../src/model/files/model-config.ts';
import { type EvaluationQuestion, evaluationAnswerSchema, imagesOfQuestion } from '../../../src/trainer/job-files.ts';
import { evaluate } from '../../../src/trainer/jobs/evaluate/evaluate.ts';
import { maximumDifference, recordingReporter } from '../../helpers/jobs.ts';
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

/** What `generate` of transformers writes after what the chat template makes of the questions. */
async function writtenByTransformers(model: string): Promise<string[]> {
  const turns = questions.map(({ question, ...shown }) => [
    { role: 'user', content: [...imagesOfQuestion(shown).map((file) => ({ image: file })), { text: question }] },
  ]);
  const file = path.join(await mkdtemp(path.join(folder, 'turns-')), 'turns.json');
  await writeFile(file, JSON.stringify(turns.map((one) => ({ turns: one, generation: true }))));
  const theirs: string[] = JSON.parse(await torchPython('check-asking.py', 'written', model, file, '8'));
  return theirs.map((text) => text.trim());
}

describe.skipIf(!torchIsSetUp)('answers about several images', () => {
  test.each(['llava', 'llava_next'])('%s: are those of transformers, and each image counts', async (kind) => {
    const model = path.join(folder, kind);
    if (kind === 'llava') {
      await writeTinyModel(model, { family: 'llava', seed: 3 });
      await writeAskingFiles(model);
    } else await torchPython('make-chat-model.py', kind, model);
    const answers = await answersOf(model);
    expect(answers.map(({ text }) => text)).toEqual(await writtenByTransformers(model));
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

describe.skipIf(!torchIsSetUp)('on TensorFlow', () => {
  test.each(['llava', 'minigpt4'] as const)('%s: losses and texts are those of PyTorch', async (family) => {
    const model = path.join(folder, `ours-${family}`);
    await writeTinyModel(model, { family, seed: 5 });
    const { job } = await jobOf(model);
    await evaluate(job, recordingReporter());
    const [ours, theirs] = [await readJsonLines(job.output, evaluationAnswerSchema), await answersOf(model)];
    expect(ours.map(({ text }) => text)).toEqual(theirs.map(({ text }) => text));
    for (const [index, { losses }] of ours.entries()) {
      expect(maximumDifference(losses, theirs[index]?.losses ?? [])).toBeLessThan(1e-4);
    }
  });

  test('llava: answers are those of transformers', async () => {
    const model = path.join(folder, 'ours-asked');
    await writeTinyModel(model, { family: 'llava', seed: 3 });
    await writeAskingFiles(model);
    const { job } = await jobOf(model);
    await evaluate(job, recordingReporter());
    const ours = await readJsonLines(job.output, evaluationAnswerSchema);
    expect(ours.map(({ text }) => text)).toEqual(await writtenByTransformers(model));
  });
});

test('of a model with the tokens of the reference system they are refused by name', async () => {
  const model = path.join(folder, 'reference');
  await writeTinyModel(model);
  const { job } = await jobOf(model);
  const family = { ...familyOf(await readModelConfig(model)), promptForm: miniGpt4ReferenceForm };
  await expect(evaluate({ ...job, family }, recordingReporter())).rejects.toMatchObject({
    name: 'InputError',
    problem: expect.stringContaining('question two shows 2 images, which are not known to this model'),
  });
});
