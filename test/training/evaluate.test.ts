import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { readJsonLines } from '../../store/read-json.ts';
import { type EvaluateSettings, evaluate } from '../../training/evaluate.ts';
import { maximumDifference, recordingReporter } from '../helpers/jobs.ts';
import { type TinyQuestions, writeTinyModel, writeTinyQuestions } from '../helpers/tiny-model.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const QUESTIONS = 11;
const lineSchema = z.object({ question_id: z.string(), losses: z.array(z.number()) });
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

async function losses(changes: Partial<EvaluateSettings>): Promise<Line[]> {
  const output = changes.output ?? path.join(await temporaryFolder(), 'losses.jsonl');
  const { metrics } = await evaluate(
    {
      model,
      questions: asked.file,
      pictures: asked.pictures,
      shard: { index: 0, count: 1 },
      batchSize: 4,
      output,
      ...changes,
    },
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

// 11 questions divide by none of these; the last count leaves shards with nothing to do.
test.each([2, 3, 13])('%i shards together give what one gives, and drop no question', async (count) => {
  const parts: Line[][] = [];
  for (let index = 0; index < count; index++) parts.push(await losses({ shard: { index, count } }));
  const joined = new Map(parts.flat().map((line) => [line.question_id, line.losses]));
  expect(parts.flat()).toHaveLength(QUESTIONS);
  for (const { question_id, losses: wanted } of whole) {
    expect(maximumDifference(joined.get(question_id) as number[], wanted), question_id).toBeLessThan(1e-4);
  }
});

test('the size of a batch changes nothing', async () => {
  const alone = await losses({ batchSize: 1 });
  for (const [index, { losses: found }] of alone.entries()) {
    expect(maximumDifference(found, whole[index]?.losses as number[])).toBeLessThan(1e-4);
  }
});

test('the limit takes the first questions', async () => {
  const first = await losses({ limit: 3 });
  expect(first.map(({ question_id }) => question_id)).toEqual(whole.slice(0, 3).map(({ question_id }) => question_id));
});

test('progress reaches its end and never falls', async () => {
  const output = path.join(await temporaryFolder(), 'losses.jsonl');
  const reporter = recordingReporter();
  await evaluate(
    { model, questions: asked.file, pictures: asked.pictures, shard: { index: 0, count: 1 }, batchSize: 4, output },
    reporter,
  );
  expect(reporter.steps.at(-1)).toBe(6);
  expect(reporter.steps).toEqual(reporter.steps.toSorted((one, other) => one - other));
});

test('a picture that is missing or cut short is named, and no result is left', async () => {
  const own = await writeTinyQuestions(await temporaryFolder(), 2);
  const output = path.join(own.pictures, '..', 'losses.jsonl');
  const run = () => losses({ questions: own.file, pictures: own.pictures, output });
  const picture = path.join(own.pictures, '000000000001.jpg');
  await truncate(picture, 400);
  await expect(run()).rejects.toMatchObject({ name: 'InputError', message: expect.stringContaining(picture) });
  await rm(picture);
  await expect(run()).rejects.toMatchObject({ name: 'InputError', message: expect.stringContaining(picture) });
  await expect(readJsonLines(output, lineSchema)).rejects.toThrow();
});
