/** Finetunes of more than the language model's adapters, as jobs. That they learn what PEFT learns: test/model/parity. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readAdapter } from '../../../../src/model/files/adapter.ts';
import { finetune } from '../../../../src/trainer/jobs/finetune/finetune.ts';
import { merge } from '../../../../src/trainer/jobs/merge/merge.ts';
import type { FinetuneJob } from '../../../../src/trainer/protocol.ts';
import { lossesIn, maximumDifference, recordingReporter, tinyFinetune } from '../../../helpers/jobs.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { writeTinyMixture, writeTinyModel } from '../../../helpers/tiny-model.ts';

const STEPS = 6;
const folder = await mkdtemp(path.join(tmpdir(), 'trained-parts-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
const mixture = await writeTinyMixture(path.join(folder, 'mixture'), STEPS * 4);
const families = {
  minigpt4: { vision: ['qkv', 'fc1', 'query'], projector: ['language_projection'] },
  llava: { vision: ['q_proj', 'fc2'], projector: ['linear_1', 'linear_2'] },
};

interface Case {
  name: string;
  family: keyof typeof families;
  changes: Partial<FinetuneJob>;
}

const cases = (['minigpt4', 'llava'] as const).flatMap((family): Case[] => {
  const lora = { rank: 4, alpha: 8, dropout: 0.2 };
  const language = ['q_proj', 'down_proj'];
  const { vision, projector } = families[family];
  return [
    {
      name: 'the vision side by rsLoRA, the projection whole',
      family,
      changes: { lora: { ...lora, targetModules: { language, vision }, rslora: true }, trainable: ['projection'] },
    },
    {
      name: 'all parts by DoRA',
      family,
      changes: { lora: { ...lora, targetModules: { language, vision, projector }, dora: true } },
    },
    {
      name: 'the projector alone',
      family,
      changes: { lora: { ...lora, targetModules: { projector } } },
    },
  ];
});

const models = { minigpt4: path.join(folder, 'minigpt4'), llava: path.join(folder, 'llava') };
for (const family of ['minigpt4', 'llava'] as const) await writeTinyModel(models[family], { family });

const bytesOf = (output: string) => readFile(path.join(output, 'adapter_model.safetensors'));

describe.each(cases)('$family: $name', ({ family, changes }) => {
  const model = models[family];
  const job = (output: string, more: Partial<FinetuneJob> = {}) =>
    tinyFinetune(model, mixture, output, { steps: STEPS, checkpointEverySteps: 2, ...changes, ...more });

  test('resumes to the same bytes', async () => {
    const [whole, stopped] = [await temporaryFolder(), await temporaryFolder()];
    await finetune(job(whole), recordingReporter());
    await expect(finetune(job(stopped), recordingReporter(3))).rejects.toThrow('asked to stop');
    const { metrics } = await finetune(job(stopped), recordingReporter());
    expect(metrics.resumedAtStep).toBe(3);
    expect((await bytesOf(stopped)).equals(await bytesOf(whole))).toBe(true);
    expect(await lossesIn(stopped)).toEqual(await lossesIn(whole));
  });

  test('is the same in parts, with layers computed again, and goes on from its adapter', async () => {
    const [whole, parts, next] = [await temporaryFolder(), await temporaryFolder(), await temporaryFolder()];
    const noDropout = { lora: { ...(changes.lora as FinetuneJob['lora']), dropout: 0 }, batchSize: 4 };
    await finetune(job(whole, { ...noDropout, microBatchSize: 4 }), recordingReporter());
    await finetune(job(parts, { ...noDropout, microBatchSize: 2, activationCheckpointing: true }), recordingReporter());
    expect(maximumDifference(await lossesIn(parts), await lossesIn(whole))).toBeLessThan(1e-3);
    await finetune(job(next, { ...noDropout, startAdapter: whole, steps: 1 }), recordingReporter());
    const [first] = await lossesIn(whole);
    expect((await lossesIn(next))[0]).toBeLessThan(first as number);
  });

  test('merged, the model answers as base and adapter do', async () => {
    const [adapter, output] = [await temporaryFolder(), path.join(await temporaryFolder(), 'merged')];
    await finetune(job(adapter), recordingReporter());
    const parity = { samples: mixture.samplesFile, count: 3, tolerance: 1e-3 };
    const { metrics } = await merge({ model, adapter, output, parity }, recordingReporter());
    expect(metrics.maximumDifference).toBeLessThan(1e-4);
    const { tensors, saved } = await readAdapter(adapter);
    expect(metrics.adaptedLayers).toBe(tensors.size);
    expect(saved.size > 0).toBe(changes.trainable !== undefined);
  });
});

const vision = cases[0] as Case;

test('with the vision side trained, random parts of images and a validation loss look through it', async () => {
  const output = await temporaryFolder();
  const job = tinyFinetune(models.minigpt4, mixture, output, {
    ...vision.changes,
    steps: 2,
    augmentation: 'random-resized-crop',
    validationLoss: { samples: mixture.samplesFile, everySteps: 1, keepsBest: true },
  });
  const reporter = recordingReporter();
  const { metrics } = await finetune(job, reporter);
  expect(metrics.validationLoss).toBeGreaterThan(0);
  expect(reporter.notes.join('\n')).toContain('no image feature is kept');
});

test('a layer that the part does not have is refused by name, and so is an adapter of other parts to start from', async () => {
  const refused = (lora: Partial<FinetuneJob['lora']>, more: Partial<FinetuneJob> = {}) => {
    const settings = { ...(vision.changes.lora as FinetuneJob['lora']), ...lora };
    const job = tinyFinetune(models.minigpt4, mixture, '/nowhere', { ...vision.changes, ...more, lora: settings });
    return finetune(job, recordingReporter());
  };
  await expect(refused({ targetModules: { vision: ['q_proj'] } })).rejects.toMatchObject({
    field: 'finetune.lora.targetModules.vision',
    message: expect.stringMatching(/'q_proj' is no linear layer of the vision side.*qkv/),
  });
  const startAdapter = await temporaryFolder();
  await finetune(
    tinyFinetune(models.minigpt4, mixture, startAdapter, { ...vision.changes, steps: 1 }),
    recordingReporter(),
  );
  for (const [changes, field] of [
    [{ trainable: undefined }, 'modules_to_save'],
    [{ lora: { dora: true } }, 'use_dora'],
    [{ lora: { rslora: false } }, 'use_rslora'],
    [{ lora: { targetModules: { language: ['q_proj', 'down_proj'] } } }, 'target_modules'],
  ] as [Partial<FinetuneJob> & { lora?: Partial<FinetuneJob['lora']> }, string][]) {
    const { lora = {}, ...more } = changes;
    await expect(refused(lora, { ...more, startAdapter }), field).rejects.toMatchObject({ field });
  }
});
