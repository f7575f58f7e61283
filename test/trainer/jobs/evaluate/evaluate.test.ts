import { appendFile, mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { readJsonLines } from '../../../../src/core/read-json.ts';
import { miniGpt4PromptForm } from '../../../../src/model/families/minigpt4/prompt.ts';
import { questionTurn } from '../../../../src/model/families/prompt-form.ts';
import { evaluationQuestionSchema } from '../../../../src/trainer/job-files.ts';
import { evaluate } from '../../../../src/trainer/jobs/evaluate/evaluate.ts';
import { generateTexts } from '../../../../src/trainer/jobs/generate-text.ts';
import type { EvaluateJob } from '../../../../src/trainer/protocol.ts';
import { maximumDifference, recordingReporter } from '../../../helpers/jobs.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { type TinyQuestions, writeAsked, writeTinyModel, writeTinyQuestions } from '../../../helpers/tiny-model.ts';

const QUESTIONS = 11;
const lineSchema = z.object({ question_id: z.string(), losses: z.array(z.number()), text: z.string().optional() });
type Line = z.output<typeof lineSchema>;

let folder: string;
let model: string;
let asked: TinyQuestions;
let whole: Line[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'evaluate-'));
  model = path.join(folder, 'model');
  await writeTinyModel(model);
  asked = await writeTinyQuestions(path.join(folder, 'data'), QUESTIONS);
  whole = await losses({ output: path.join(folder, 'losses.jsonl') });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function losses(changes: Partial<EvaluateJob>): Promise<Line[]> {
  const output = changes.output ?? path.join(await temporaryFolder(), 'losses.jsonl');
  const { metrics } = await evaluate(
    { model, questions: asked.asked, batchSize: 4, output, ...changes },
    recordingReporter(),
  );
  const lines = await readJsonLines(output, lineSchema);
  expect(metrics.questions).toBe(lines.length);
  return lines;
}

test('every question has one loss a choice, in the order of the file', () => {
  expect(whole.map(({ question_id }) => question_id)).toEqual(asked.questions.map(({ question_id }) => question_id));
  for (const [index, line] of whole.entries()) {
    expect(line.losses).toHaveLength(asked.questions[index]?.choices.length as number);
    expect(Math.min(...line.losses)).toBeGreaterThan(0);
    expect(new Set(line.losses).size).toBeGreaterThan(1);
  }
});

test('the size of a batch changes nothing', async () => {
  const alone = await losses({ batchSize: 1 });
  for (const [index, { losses: found }] of alone.entries()) {
    expect(maximumDifference(found, whole[index]?.losses as number[])).toBeLessThan(1e-4);
  }
});

test('a question without an image is answered from its words, also beside one with an image', async () => {
  const records = await readJsonLines(asked.asked, evaluationQuestionSchema);
  const mixed = records.map(({ image, ...words }, index) => (index % 2 === 0 ? { ...words, image } : words));
  const questions = path.join(await temporaryFolder(), 'asked.jsonl');
  await writeAsked(questions, mixed);
  const found = await losses({ questions });
  for (const [index, line] of found.entries()) {
    const difference = maximumDifference(line.losses, whole[index]?.losses as number[]);
    if (index % 2 === 0) expect(difference).toBeLessThan(1e-4);
    else expect(difference).toBeGreaterThan(1e-4);
  }
});

test('answers are written beside ranking or alone, with an image or without, and change no loss', async () => {
  const records = await readJsonLines(asked.asked, evaluationQuestionSchema);
  const mixed = records.map(({ image, ...record }, index) => ({
    ...record,
    ...(index !== 3 && { image }),
    ...(index === 2 && { answers: [] }),
    ...(index % 2 === 0 && {
      generate: { question: `${record.question}`, maximumNewTokens: 5, trimsTurn: index === 4 },
    }),
  }));
  const questions = path.join(await temporaryFolder(), 'asked.jsonl');
  await writeAsked(questions, mixed);
  const found = await losses({ questions });
  expect(found.map(({ question_id }) => question_id)).toEqual(whole.map(({ question_id }) => question_id));
  for (const [index, line] of found.entries()) {
    expect(typeof line.text).toBe(index % 2 === 0 ? 'string' : 'undefined');
    if (index === 2) expect(line.losses).toEqual([]);
    else if (index !== 3) expect(maximumDifference(line.losses, whole[index]?.losses as number[])).toBeLessThan(1e-4);
  }
  const prompts = mixed.flatMap(({ question_id, image, generate }) =>
    generate ? [{ id: question_id, ...generate, image: image as string }] : [],
  );
  const greedy = { strategy: { kind: 'greedy' }, maximumNewTokens: 5 } as const;
  const turn = (question: string) => questionTurn(miniGpt4PromptForm, question, { withImage: true });
  const raw = prompts.map(({ id, question, image, trimsTurn }) => {
    const prompt = trimsTurn ? turn(question).replace(/: $/, ':') : turn(question);
    return { id, prompt, image, isRaw: true };
  });
  const texts = await generateTexts(model, raw, greedy);
  expect(found.flatMap(({ text }) => text ?? [])).toEqual(texts.map(({ text }) => text.trim()));
});

test('matrices stored as bfloat16 give nearly the same losses, and answers are written with them too', async () => {
  const records = await readJsonLines(asked.asked, evaluationQuestionSchema);
  const questions = path.join(await temporaryFolder(), 'asked.jsonl');
  const generate = { question: 'What is it?', maximumNewTokens: 3 };
  await writeAsked(
    questions,
    records.map((record, index) => (index === 0 ? { ...record, generate } : record)),
  );
  const found = await losses({ questions, weightDtype: 'bfloat16' });
  expect(found[0]?.text).toBeTypeOf('string');
  const differences = found.map((line, index) => maximumDifference(line.losses, whole[index]?.losses as number[]));
  // 8 bits of mantissa: each weight is off by up to 0.4 percent.
  expect(Math.max(...differences)).toBeLessThan(0.03);
  expect(Math.min(...differences)).toBeGreaterThan(0);
});

test('products in bfloat16 give nearly the same losses, whatever is computed together', async () => {
  const computeDtype = 'bfloat16';
  const found = await losses({ computeDtype });
  const differences = found.map((line, index) => maximumDifference(line.losses, whole[index]?.losses as number[]));
  expect(Math.max(...differences)).toBeLessThan(0.03);
  expect(Math.min(...differences)).toBeGreaterThan(0);
  const alone = await losses({ computeDtype, batchSize: 1 });
  const apart = alone.map((line, index) => maximumDifference(line.losses, found[index]?.losses as number[]));
  expect(Math.max(...apart)).toBeLessThan(0.01);
});

test('progress reaches its end and never falls', async () => {
  const output = path.join(await temporaryFolder(), 'losses.jsonl');
  const reporter = recordingReporter();
  await evaluate({ model, questions: asked.asked, batchSize: 4, output }, reporter);
  expect(reporter.steps.at(-1)).toBe(6);
  expect(reporter.steps).toEqual(reporter.steps.toSorted((one, other) => one - other));
});

test('an interrupted evaluation resumes after its last batch, and ends with the same losses and answers', async () => {
  const records = await readJsonLines(asked.asked, evaluationQuestionSchema);
  const questions = path.join(await temporaryFolder(), 'asked.jsonl');
  const generate = { question: 'What is it?', maximumNewTokens: 3 };
  await writeAsked(
    questions,
    records.map((record) => ({ ...record, generate })),
  );
  const uninterrupted = await losses({ questions });
  const output = path.join(await temporaryFolder(), 'losses.jsonl');
  const job = { model, questions, batchSize: 4, output };
  // Of nine steps, three are of images, three of ranking and three of writing: the second batch of each is the last.
  for (const stopAfterStep of [5, 8])
    await expect(evaluate(job, recordingReporter(stopAfterStep))).rejects.toThrow('asked to stop');
  expect(await readdir(path.dirname(output))).toEqual(['losses.part.jsonl']);
  await appendFile(output.replace('.jsonl', '.part.jsonl'), '{"question_id":"cut of');
  const reporter = recordingReporter();
  const { metrics } = await evaluate(job, reporter);
  expect(metrics).toEqual({ questions: QUESTIONS, alreadyAnswered: QUESTIONS + 8 });
  expect(reporter.steps).toEqual([9]);
  expect(await readJsonLines(output, lineSchema)).toEqual(uninterrupted);
  expect(await readdir(path.dirname(output))).toEqual(['losses.jsonl']);
});

test('what another job had found so far is not used', async () => {
  const output = path.join(await temporaryFolder(), 'losses.jsonl');
  const job = { model, questions: asked.asked, batchSize: 4, output };
  await expect(evaluate(job, recordingReporter(5))).rejects.toThrow('asked to stop');
  for (const other of [{ weightDtype: 'bfloat16' }, { computeDtype: 'bfloat16' }] as const) {
    const { metrics } = await evaluate({ ...job, ...other }, recordingReporter());
    expect(metrics.alreadyAnswered).toBe(0);
  }
});

test('an image that is missing or cut short is named, and no result is left', async () => {
  const own = await writeTinyQuestions(await temporaryFolder(), 2);
  const output = path.join(own.images, '..', 'losses.jsonl');
  const run = () => losses({ questions: own.asked, output });
  const image = path.join(own.images, '000000000001.jpg');
  await truncate(image, 400);
  await expect(run()).rejects.toMatchObject({ name: 'InputError', message: expect.stringContaining(image) });
  await rm(image);
  await expect(run()).rejects.toMatchObject({ name: 'InputError', message: expect.stringContaining(image) });
  await expect(readJsonLines(output, lineSchema)).rejects.toThrow();
});
