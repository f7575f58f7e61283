/** Samples that are too long, and what a job refuses. */
import { cp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeJsonLines } from '../../../../src/core/write-file.ts';
import { gptvqa } from '../../../../src/datasets/engine-data.ts';
import { imageFolder } from '../../../../src/datasets/image-folder.ts';
import { type TrainRecord, trainingSample } from '../../../../src/datasets/train-dataset.ts';
import { finetune } from '../../../../src/trainer/jobs/finetune/finetune.ts';
import { lossesIn, recordingReporter, tinyFinetune } from '../../../helpers/jobs.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { makeTinyTraining, type TinyMixture, writeTinyMixture } from '../../../helpers/tiny-model.ts';

const STEPS = 20;
const longPrompt = path.join(
  import.meta.dirname,
  '../../../fixtures/fidelity/engine_prompt_longer_than_160_tokens.json',
);
let folder: string;
let model: string;
let mixture: TinyMixture;

beforeAll(async () => {
  ({ folder, model, mixture } = await makeTinyTraining(STEPS * 2));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('engine_prompt_longer_than_160_tokens.json: it is cut, and training continues with nothing learned of it', async () => {
  const output = await temporaryFolder();
  const samples = path.join(output, 'samples.jsonl');
  const order = path.join(output, 'order.json');
  const image = mixture.samples[0]?.image as string;
  const read: TrainRecord[] = [];
  for await (const record of gptvqa.read({ name: 'round1', path: longPrompt, images: imageFolder('') }))
    read.push({ ...record, image } as TrainRecord);
  const [long] = read.map((record) => trainingSample(record, { source: 'round1', format: 'QMA' }));
  await writeJsonLines(samples, [long, ...mixture.samples.slice(0, 3)]);
  // A batch of it and another sample, one of it alone, one of others, and it in a micro-batch of its own.
  const given = { samples, order, steps: 4, maximumTokens: 160 };
  await writeFile(order, JSON.stringify([0, 1, 0, 0, 2, 3, 3, 0]));
  const cutting = recordingReporter();
  await finetune(tinyFinetune(model, mixture, output, given), cutting);
  const losses = await lossesIn(output);
  expect(losses.map((loss) => loss > 0)).toEqual([true, false, true, true]);
  expect(cutting.notes).toContainEqual(
    '1 of 4 samples are cut to finetune.maximumTokens (160); of 1 of them nothing is left to learn',
  );
  const inParts = await temporaryFolder();
  await finetune(tinyFinetune(model, mixture, inParts, { ...given, microBatchSize: 1 }), recordingReporter());
  expect((await lossesIn(inParts))[0]).toBeCloseTo(losses[0] as number, 4);
});

describe('wrong input', () => {
  const failing = async (changes: Parameters<typeof tinyFinetune>[3]) =>
    finetune(tinyFinetune(model, mixture, await temporaryFolder(), changes), recordingReporter());

  test('a target that is no layer is named', async () => {
    const lora = { rank: 4, alpha: 8, dropout: 0, targetModules: ['q_proj', 'qkv'] };
    await expect(failing({ lora })).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringContaining("'qkv' is no linear layer"),
    });
  });

  test('with tooLong: error, a sample longer than the limit is named by file and line, with its length', async () => {
    await expect(failing({ maximumTokens: 20, tooLong: 'error' })).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringMatching(/samples\.jsonl:\d+: prompt: with its answer has \d+ tokens; .* is 20\./),
    });
  });

  test('a whole sample longer than maximumSequence is cut, or named with its length; an image without room for words is named', async () => {
    const output = await temporaryFolder();
    const reporter = recordingReporter();
    await finetune(tinyFinetune(model, mixture, output, { steps: 2, maximumSequence: 45 }), reporter);
    expect(reporter.notes.join()).toMatch(/samples are cut to finetune\.maximumSequence \(45\);/);
    await expect(failing({ maximumSequence: 45, tooLong: 'error' })).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringMatching(/samples\.jsonl:\d+: prompt: has \d+ tokens in all; .*maximumSequence is 45\./),
    });
    await expect(failing({ maximumSequence: 8 })).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringMatching(/samples\.jsonl:\d+: prompt: has no room for words behind its image/),
    });
  });

  test('samples that are all cut before their answer are refused: nothing would be learned', async () => {
    await expect(failing({ maximumTokens: 5 })).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringContaining('nothing is left to learn'),
    });
  });

  test('an order that is too short for the steps is named', async () => {
    await expect(failing({ steps: 21 })).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringContaining('order.json'),
    });
  });

  test('an image that is missing or cut short is named', async () => {
    const own = await writeTinyMixture(await temporaryFolder(), STEPS * 2);
    const [first, second] = await readdir(own.images);
    const run = () => finetune(tinyFinetune(model, own, path.join(own.images, '..', 'out')), recordingReporter());
    await truncate(path.join(own.images, second as string), 300);
    await expect(run()).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringContaining(second as string),
    });
    await rm(path.join(own.images, first as string));
    await expect(run()).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringContaining(first as string),
    });
  });

  test('a base model that is cut short is named, with the tensor', async () => {
    const broken = path.join(await temporaryFolder(), 'model');
    await cp(model, broken, { recursive: true });
    await truncate(path.join(broken, 'model.safetensors'), 20_000);
    await expect(failing({ model: broken })).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringMatching(/model\.safetensors.*(vision_model|query_tokens|qformer|language_)/),
    });
  });

  test('a diverging run ends with the setting to change', async () => {
    const learningRate = { initial: 1e30, peak: 1e30, final: 1e30, warmupSteps: 0 };
    await expect(failing({ learningRate })).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringContaining('learningRate'),
    });
  });

  test('a sample whose prompt has the mark of an image in its words is trained on as text', async () => {
    const own = await writeTinyMixture(await temporaryFolder(), 4);
    const samples = own.samples.map((sample) => ({ ...sample, prompt: `<ImageHere> ${sample.prompt}` }));
    await writeJsonLines(own.samplesFile, samples);
    const output = path.join(own.images, '..', 'out');
    const { metrics } = await finetune(tinyFinetune(model, own, output, { steps: 2 }), recordingReporter());
    expect(metrics.loss).toBeGreaterThan(0);
  });

  test('a sample without an image is trained on', async () => {
    const own = await writeTinyMixture(await temporaryFolder(), 4);
    const samples = own.samples.map(({ image: _, ...sample }) => sample);
    await writeJsonLines(own.samplesFile, samples);
    const { metrics } = await finetune(
      tinyFinetune(model, own, path.join(own.images, '..', 'out'), { steps: 2 }),
      recordingReporter(),
    );
    expect(metrics.loss).toBeGreaterThan(0);
  });
});
