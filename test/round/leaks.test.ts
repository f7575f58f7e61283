/**
 * New samples leak nothing of what the config evaluates on: validation, test and the benchmarks, with real files.
 */
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import { evaluationFiles, leakFinderOf, questionFiles } from '../../src/round/evaluation-set.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { mmbenchRows, writeSeedBench, writeTable } from '../evaluation/benchmarks/official-files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

// Images of the pool that the tiny dataset does not have.
const [copyOfMmbench, copyOfSeedBench, own] = [9001, 9002, 9003] as const;

async function evaluatedOn(benchmarks: Record<string, unknown>[]): Promise<StepContext> {
  const folder = await temporaryFolder();
  const data = join(folder, 'data');
  const config = await writeTinyRun(folder, (settings) => ({ ...settings, evaluate: { benchmarks } }));
  const rows = await mmbenchRows();
  await writeTable(join(data, 'MMBench', 'mmbench_dev.tsv'), rows);
  const { images } = await writeSeedBench(join(data, 'SEED-Bench'));
  const pool = join(data, 'COCO2017', 'train2017');
  await mkdir(pool, { recursive: true });
  await writeFile(await imageFolder(pool).fileOf(copyOfMmbench), Buffer.from(String(rows[1]?.image), 'base64'));
  await writeFile(await imageFolder(pool).fileOf(copyOfSeedBench), await readFile(join(images, '2_2')));
  await writeFile(await imageFolder(pool).fileOf(own), 'nobody else has this');
  return tinyContext(config);
}

const mmbench = { benchmark: 'mmbench', file: 'MMBench/mmbench_dev.tsv' };
const seedBench = {
  benchmark: 'seed-bench',
  file: 'SEED-Bench/SEED-Bench.json',
  images: 'SEED-Bench/SEED-Bench-image',
};
const sample = { image_id: own, question: 'What is the dog doing?', choices: ['a', 'b', 'c', 'd'] };
const ofMmbench = { ...sample, question: 'What color is it?', choices: ['yellow', 'blue', 'green', 'red'] };
const ofSeedBench = {
  ...sample,
  question: 'How many towels are in this image?',
  choices: ['Four or more of them', 'three', 'two', 'one'],
};
const pool = [copyOfMmbench, copyOfSeedBench, own];

test("images and questions of the config's benchmarks count as leaks, also those of limited and blind sets", async () => {
  const context = await evaluatedOn([
    { ...mmbench, limit: 1, blind: true },
    { ...mmbench, limit: 1 },
    { ...seedBench, limit: 1 },
  ]);
  const find = await leakFinderOf(context, pool);
  expect(find({ ...sample, image_id: copyOfMmbench })).toMatchObject({ reason: 'evaluation_image' });
  expect(find({ ...sample, image_id: copyOfSeedBench })).toMatchObject({ reason: 'evaluation_image' });
  expect(find(ofMmbench)).toEqual({ reason: 'evaluation_question', detail: 'question mmbench-blind/0' });
  expect(find(ofSeedBench)).toEqual({ reason: 'evaluation_question', detail: 'question seed-bench/101669' });
  expect(find(sample)).toBeUndefined();
});

test("benchmarks that the config does not evaluate on don't count", async () => {
  const find = await leakFinderOf(await evaluatedOn([]), pool);
  for (const image_id of pool) expect(find({ ...sample, image_id })).toBeUndefined();
  for (const asked of [ofMmbench, ofSeedBench]) expect(find(asked)).toBeUndefined();
});

test('validation and test questions and their images count as leaks', async () => {
  const context = await evaluatedOn([]);
  const { validation, root } = context.config.data;
  const [asked] = JSON.parse(await readFile(join(root, validation.file), 'utf8'));
  const find = await leakFinderOf(context, [asked.image_id, own]);
  expect(find({ ...sample, image_id: asked.image_id })).toMatchObject({ reason: 'evaluation_image' });
  const { question, choices } = asked;
  expect(find({ image_id: own, question, choices })).toMatchObject({
    reason: 'evaluation_question',
    detail: `question validation/${asked.question_id}`,
  });
});

test('another benchmark file repeats the refining, without requests to the teacher', async () => {
  const context = await evaluatedOn([mmbench]);
  const before = [await evaluationFiles(context), await questionFiles(context.config)];
  await appendFile(join(context.config.data.root, mmbench.file), '\n');
  const [refined, sampled] = [await evaluationFiles(context), await questionFiles(context.config)];
  expect(refined).not.toEqual(before[0]);
  expect(sampled).toEqual(before[1]);
});
