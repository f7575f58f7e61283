/**
 * bugs/01-pool-file-names: images that are not named as COCO 2017 names its own. Their annotations, or their folder, say
 * which file an id is, in every step alike.
 */
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readJson, readJsonLines } from '../../src/core/read-json.ts';
import { exportVersion } from '../../src/datasets/export-version.ts';
import { trainingSampleSchema } from '../../src/datasets/train-dataset.ts';
import { findVersion } from '../../src/datasets/versions.ts';
import { append } from '../../src/round/append/append.ts';
import { checkData } from '../../src/round/check-data.ts';
import { classify } from '../../src/round/classify/classify.ts';
import { poolFolder } from '../../src/round/dataset-paths.ts';
import { embed } from '../../src/round/embed/embed.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { gate } from '../../src/round/gate/gate.ts';
import { generate } from '../../src/round/generate/generate.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { prepareData } from '../../src/round/prepare-data/prepare-data.ts';
import { refine } from '../../src/round/refine/refine.ts';
import { sample } from '../../src/round/sample/sample.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { evaluationQuestionSchema } from '../../src/trainer/job-files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { imageName, writeTinyDataset } from './tiny-dataset.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

const namings = {
  'COCO 2014': (split: string, id: number) => `COCO_${split}2014_${imageName(id)}`,
  // Only the annotations name the file of an id; a split without any has COCO 2014's names.
  'names of its own': (split: string, id: number) =>
    split === 'train' ? `photo ${id} of the pool.jpg` : `COCO_${split}2014_${imageName(id)}`,
};

test.each(Object.entries(namings))('images with names of %s are found by every step', async (_, nameOf) => {
  const { context, inRound, file } = await runWith(nameOf);
  const { config } = context;

  expect(await checkData(config, context)).toMatchObject({ problems: [] });
  await prepareData(inRound(0));
  await finetune(inRound(0));
  await merge(inRound(0));
  await evaluate(inRound(0));
  const questions = file('round-0', 'evaluate-shards', 'validation-0-of-1', 'questions.jsonl');
  await expectFiles((await readJsonLines(questions, evaluationQuestionSchema)).map(({ image }) => image));
  await classify(inRound(0));
  await gate(inRound(0));
  await embed(inRound(0));
  await expectFiles(await readJson(file('embeddings', 'images.json'), z.array(z.string())));

  await sample(inRound(1));
  await generate(inRound(1));
  await refine(inRound(1));
  const { version } = await append(inRound(1));
  await finetune(inRound(1));
  const samples = await readJsonLines(file('round-1', 'finetune', 'mixture', 'samples.jsonl'), trainingSampleSchema);
  await expectFiles(samples.map(({ image }) => image));
  const generated = samples.filter(({ source }) => source === 'round1');
  expect(generated.length).toBeGreaterThan(0);

  const input = {
    runRoot: context.run.root,
    version: await findVersion(context.run.root, version),
    images: { folder: poolFolder(config), path: config.data.images.train },
    answerFormat: 'QMA' as const,
  };
  await exportVersion('llava', { ...input, output: file('llava') });
  const exported = await readJson(file('llava', 'llava.json'), z.array(z.object({ image: z.string() })));
  const files = exported.map(({ image }) => join(config.data.root, image));
  await expectFiles(files);
  // Not every sample is drawn in a finetune of a few steps.
  expect(files).toEqual(expect.arrayContaining(generated.map(({ image }) => image)));
  await exportVersion('parquet', { ...input, output: file('parquet'), embedImages: true });
});

async function runWith(nameOf: (split: string, id: number) => string) {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder);
  await rm(join(folder, 'data'), { recursive: true });
  await writeTinyDataset(join(folder, 'data'), undefined, nameOf);
  const context = await tinyContext(config);
  return {
    context,
    inRound: (round: number): StepContext => ({ ...context, round }),
    file: (...parts: string[]) => join(context.run.root, ...parts),
  };
}

async function expectFiles(files: (string | undefined)[]): Promise<void> {
  expect(files.length).toBeGreaterThan(0);
  for (const one of files) await access(one ?? '');
}
