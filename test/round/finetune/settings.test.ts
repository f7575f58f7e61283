import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { stepsOf } from '../../../src/config/finetune-schema.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { readJson, readJsonLines } from '../../../src/core/read-json.ts';
import { trainingSampleSchema } from '../../../src/datasets/train-dataset.ts';
import { finetune } from '../../../src/round/finetune/finetune.ts';
import { readValidationLosses } from '../../../src/round/finetune/results.ts';
import { plannedFinetune } from '../../../src/round/finetune/round-mixture.ts';
import { learningRateOf } from '../../../src/round/finetune/settings.ts';
import { finishedStep } from '../../../src/round/finished-step.ts';
import type { StepContext } from '../../../src/round/step-context.ts';
import { finetuneJobSchema } from '../../../src/trainer/protocol.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { recorded } from '../../helpers/trainer-curves.ts';
import { tinyContext, writeTinyRun } from '../tiny-run.ts';

const orderSchema = z.array(z.number());

/** What a config's finetune is, with these keys in place of the tiny config's. */
async function withFinetune(keys: object) {
  const folder = await temporaryFolder();
  const file = await writeTinyRun(folder, (config) => ({
    ...config,
    finetune: { batchSize: 2, checkpointEverySteps: 5, ...keys },
  }));
  return { folder, file, config: () => loadConfig(file) };
}

describe('stepsPerEpoch: auto', () => {
  test.each(recorded.passes)("is transformers.Trainer's epoch: $samples samples by $batchSize", (pass) => {
    expect(stepsOf({ ...pass, stepsPerEpoch: 'auto' }, pass.samples)).toBe(pass.steps);
  });

  test('takes as many samples as the datasets have together; the trainer knows the steps from the start', async () => {
    const { file } = await withFinetune({ epochs: 3, stepsPerEpoch: 'auto', learningRate: { warmupSteps: 0.1 } });
    const context = await tinyContext(file);
    const planned = await plannedFinetune({ ...context, round: 0 });
    const outcome = await finetune({ ...context, round: 0 });
    expect(outcome).toMatchObject(planned);
    expect(outcome.samples).toBeGreaterThan(4);
    expect(outcome.steps).toBe(3 * Math.ceil(outcome.samples / 2));
    const directory = join(context.run.root, 'round-0/finetune');
    const job = await readJson(join(directory, 'job.json'), finetuneJobSchema);
    expect(job.steps).toBe(outcome.steps);
    const order = await readJson(job.order, orderSchema);
    expect(order).toHaveLength(outcome.steps * 2);
    expect(job.learningRate.warmupSteps).toBe(Math.ceil(0.1 * outcome.steps));

    expect(await finetune({ ...context, round: 0 })).toMatchObject({ reused: true, steps: outcome.steps });
  });

  test('with one dataset an epoch is every sample once, in another order each time', async () => {
    const { file } = await withFinetune({
      epochs: 2,
      stepsPerEpoch: 'auto',
      batchSize: 1,
      learningRate: { warmupSteps: 0 },
    });
    const context = await tinyContext(file);
    const [part] = context.config.data.train;
    const config = { ...context.config, data: { ...context.config.data, train: part ? [part] : [] } };
    const { samples } = await finetune({ ...context, config, round: 0 });
    const order = await readJson(join(context.run.root, 'round-0/finetune/mixture/order.json'), orderSchema);
    const all = Array.from({ length: samples }, (_, index) => index);
    const [first, second] = [order.slice(0, samples), order.slice(samples)];
    expect(first.toSorted((one, other) => one - other)).toEqual(all);
    expect(second.toSorted((one, other) => one - other)).toEqual(all);
    expect(second).not.toEqual(first);
  });
});

describe('the learning rate of a config', () => {
  const rateOf = async (learningRate: object, steps: number) => {
    const { config } = await withFinetune({ epochs: 10, learningRate });
    return learningRateOf((await config()).finetune, steps);
  };

  test("is the reference system's, as it always was, where nothing is said", async () => {
    expect(await rateOf({}, 3000)).toEqual({ initial: 1e-6, peak: 3e-4, final: 1e-5, warmupSteps: 200 });
  });

  test('may have another schedule, and a share of all steps as its warm-up, rounded as transformers rounds it', async () => {
    expect(await rateOf({ schedule: 'cosine', initial: 0, peak: 1e-4, final: 0, warmupSteps: 0.1 }, 95)).toEqual({
      schedule: 'cosine',
      initial: 0,
      peak: 1e-4,
      final: 0,
      warmupSteps: 10,
    });
  });

  test('has no warm-up that is longer than all', async () => {
    await expect(rateOf({ warmupSteps: 300 }, 120)).rejects.toThrow(
      'configuration: finetune.learningRate.warmupSteps: 300 steps, but the whole finetune has 120. Set a share',
    );
  });
});

describe('a config names', () => {
  test.each([
    [
      { learningRate: { byPart: { projection: 0.1 } } },
      'finetune.learningRate.byPart.projection: is not trained; a finetune trains q_proj, k_proj, language, lora_A, lora_B',
    ],
    [
      { learningRate: { warmupSteps: 1.5 } },
      'finetune.learningRate.warmupSteps: neither a number of steps nor a share',
    ],
    [{ learningRate: { schedule: 'polynomial' } }, 'finetune.learningRate.schedule'],
    [{ maximumGradientNorm: 0 }, 'finetune.maximumGradientNorm'],
    [{ imageWorkers: 2 }, 'finetune.imageWorkers: requires trainer: torchrun'],
    [{ imageCacheGigabytes: 0 }, 'finetune.imageCacheGigabytes: requires trainer: torchrun'],
    [{ attention: 'sdpa' }, 'finetune.attention: requires trainer: torchrun'],
    [{ adam: { beta2: 1 } }, 'finetune.adam.beta2'],
    [{ stepsPerEpoch: 'all' }, 'finetune.stepsPerEpoch'],
    [{ keep: 'best-validation-loss' }, 'finetune.keep: best-validation-loss requires finetune.validationLoss'],
    [{ validationLoss: {} }, 'finetune.validationLoss.heldOut: set this or dataset, and not both'],
    [
      { validationLoss: { heldOut: 0.1, minimumChange: 1 } },
      'finetune.validationLoss.minimumChange: requires stopAfter',
    ],
    [
      { validationLoss: { dataset: { dataset: 'aokvqa', sampleRatio: 2 } } },
      'finetune.validationLoss.dataset.sampleRatio: has no meaning here',
    ],
    [{ validationLoss: { heldOut: 1 } }, 'finetune.validationLoss.heldOut'],
  ])('what it can not have: %j', async (keys, problem) => {
    const { config } = await withFinetune(keys);
    await expect(config()).rejects.toThrow(problem);
  });
});

describe('the validation loss', () => {
  const samplesOf = async (context: StepContext, round = 0) => {
    const folder = join(context.run.root, `round-${round}/finetune/mixture`);
    const read = (name: string) => readJsonLines(join(folder, name), trainingSampleSchema);
    return { trained: await read('samples.jsonl'), heldOut: await read('validation.jsonl') };
  };
  const auto = { epochs: 1, stepsPerEpoch: 'auto', learningRate: { warmupSteps: 0 } };

  test('has the samples of some of the images, and no image is trained on too', async () => {
    const { file } = await withFinetune({ ...auto, validationLoss: { heldOut: 0.4 } });
    const context = await tinyContext(file);
    const { samples } = await finetune({ ...context, round: 0 });
    const { trained, heldOut } = await samplesOf(context);
    expect(heldOut.length).toBeGreaterThan(0);
    expect(trained.length).toBeGreaterThan(0);
    const images = new Set(trained.map(({ image }) => image));
    expect(heldOut.filter(({ image }) => images.has(image))).toEqual([]);
    // Held out of what is drawn from, and of what an epoch is.
    const all = await finetune({ ...(await tinyContext((await withFinetune(auto)).file)), round: 0 });
    expect(samples + heldOut.length).toBe(all.samples);
    expect(await plannedFinetune({ ...context, round: 0 })).toMatchObject({ samples });
    const job = await readJson(join(context.run.root, 'round-0/finetune/job.json'), finetuneJobSchema);
    expect(job.validationLoss).toEqual({
      samples: expect.stringMatching(/validation\.jsonl$/),
      everySteps: Math.ceil(samples / 2),
      keepsBest: false,
    });
  });

  test('another seed holds out other images; another folder the same', async () => {
    const heldOutBy = async (seed: number) => {
      const { file } = await withFinetune({ ...auto, validationLoss: { heldOut: 0.4 } });
      const context = await tinyContext(file);
      await finetune({ ...context, config: { ...context.config, seed }, round: 0 });
      return (await samplesOf(context)).heldOut.map(({ id }) => id);
    };
    const first = await heldOutBy(1);
    expect(await heldOutBy(1)).toEqual(first);
    expect(await heldOutBy(2)).not.toEqual(first);
  });

  test('or those of a dataset of its own', async () => {
    const { file } = await withFinetune({
      ...auto,
      validationLoss: { dataset: { dataset: 'cc_sbu_align' }, everySteps: 3, stopAfter: 2, minimumChange: 0.1 },
    });
    const context = await tinyContext(file);
    await finetune({ ...context, round: 0 });
    const { heldOut } = await samplesOf(context);
    expect(new Set(heldOut.map(({ source }) => source))).toEqual(new Set(['cc_sbu_align']));
    const job = await readJson(join(context.run.root, 'round-0/finetune/job.json'), finetuneJobSchema);
    expect(job.validationLoss).toMatchObject({ everySteps: 3, stopAfter: 2, minimumChange: 0.1 });
    const found = await finishedStep(context.run, 0, 'finetune');
    expect(Object.keys(found.manifest.outputs)).toContain('validation-loss.jsonl');
    const losses = await readValidationLosses(found.directory);
    expect(losses.map(({ step }) => step)).toEqual(losses.map((_, index) => 3 * (index + 1)));
    expect(losses.length).toBeGreaterThan(0);
  });

  test('is an error where no image is held out', async () => {
    const { file } = await withFinetune({ ...auto, validationLoss: { heldOut: 1e-9 } });
    await expect(finetune({ ...(await tinyContext(file)), round: 0 })).rejects.toThrow(
      'configuration: finetune.validationLoss.heldOut: 1e-9 of the images of this data is none',
    );
  });
});
