import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readManifest } from '../../src/core/manifest.ts';
import { classify } from '../../src/round/classify/classify.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { prepareData } from '../../src/round/prepare-data/prepare-data.ts';
import { sample } from '../../src/round/sample/sample.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { imageName } from './tiny-dataset.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

async function tinyRun() {
  const folder = await temporaryFolder();
  const context = await tinyContext(await writeTinyRun(folder));
  return { folder, context, data: (path: string) => join(folder, 'data', path) };
}

const image = (id: number) => `COCO2017/train2017/${imageName(id)}`;

test('a missing image is named before anything is trained', async () => {
  const { context, data } = await tinyRun();
  await rm(data(image(3)));
  await expect(prepareData(context)).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringContaining(imageName(3)),
  });
});

test('an image that is cut short is named', async () => {
  const { context, data } = await tinyRun();
  await truncate(data(image(4)), 200);
  await expect(prepareData(context)).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringContaining(imageName(4)),
  });
});

test('a correct choice out of range is named by question and field', async () => {
  const { context, data } = await tinyRun();
  const file = data('A-OKVQA/aokvqa_v1p0_val.json');
  const questions = JSON.parse(await readFile(file, 'utf8'));
  questions[5].correct_choice_idx = 7;
  await writeFile(file, JSON.stringify(questions));
  await expect(prepareData(context)).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringContaining('[5].correct_choice_idx'),
  });
});

test('broken JSON is reported with its line', async () => {
  const { context, data } = await tinyRun();
  const file = data('A-OKVQA/aokvqa_v1p0_train.json');
  await writeFile(file, '[\n{"question_id": }\n]');
  await expect(prepareData(context)).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringContaining('aokvqa_v1p0_train.json:2'),
  });
});

test('a step says which command to run first when an earlier step is missing', async () => {
  const { context } = await tinyRun();
  await expect(merge(context)).rejects.toThrow('Run `dataengine finetune --round 0`');
  await expect(sample(context)).rejects.toThrow('round 0 has no step sample. Name round 1 or a later one');
  for (const step of [prepareData, finetune, merge, evaluate, classify]) await step(context);
  await expect(sample({ ...context, round: 1 })).rejects.toThrow(
    'the run has not finished its step embed. Run `dataengine embed --round 1` with the same config first',
  );
});

test('a base model that is cut short stops the finetune before the trainer starts', async () => {
  const { context, folder } = await tinyRun();
  const model = join(folder, 'model');
  await import('node:fs/promises').then(({ cp }) => cp(context.config.model.path, model, { recursive: true }));
  await truncate(join(model, 'model.safetensors'), 5000);
  const config = { ...context.config, model: { ...context.config.model, path: model } };
  const broken = { ...context, config };
  await expect(finetune(broken)).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringContaining('model.safetensors'),
  });
  expect(await readManifest(join(context.run.root, 'round-0', 'finetune'))).toBeUndefined();
});

test("a step's time is that of all its shards together", async () => {
  const { context } = await tinyRun();
  for (const step of [prepareData, finetune, merge]) await step(context);
  const started = Date.now();
  const { seconds } = await evaluate(context);
  // Two shards, each with a trainer of its own, which takes longer than joining them.
  expect(seconds).toBeGreaterThan(0.5 * ((Date.now() - started) / 1000));
});
