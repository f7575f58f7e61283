import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { stepsOf } from '../../../src/config/finetune-schema.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { readJson } from '../../../src/core/read-json.ts';
import { finetune } from '../../../src/round/finetune/finetune.ts';
import { learningRateOf } from '../../../src/round/finetune/settings.ts';
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
    const { file } = await withFinetune({ epochs: 3, stepsPerEpoch: 'auto' });
    const context = await tinyContext(file);
    const outcome = await finetune({ ...context, round: 0 });
    expect(outcome.samples).toBeGreaterThan(4);
    expect(outcome.steps).toBe(3 * Math.ceil(outcome.samples / 2));
    const directory = join(context.run.root, 'round-0/finetune');
    const job = await readJson(join(directory, 'job.json'), finetuneJobSchema);
    expect(job.steps).toBe(outcome.steps);
    const order = await readJson(job.order, orderSchema);
    expect(order).toHaveLength(outcome.steps * 2);
    // 3 % of them, where the config says nothing.
    expect(job.learningRate.warmupSteps).toBe(Math.ceil(0.03 * outcome.steps));

    expect(await finetune({ ...context, round: 0 })).toMatchObject({ reused: true, steps: outcome.steps });
  });

  test('with one dataset an epoch is every sample once, in another order each time', async () => {
    const { file } = await withFinetune({ epochs: 2, stepsPerEpoch: 'auto', batchSize: 1 });
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

  test("is transformers' with its schedules: from zero, and to zero", async () => {
    expect(await rateOf({ schedule: 'cosine', peak: 1e-4, warmupSteps: 0.1 }, 95)).toEqual({
      schedule: 'cosine',
      initial: 0,
      peak: 1e-4,
      final: 0,
      warmupSteps: 10,
    });
    expect(await rateOf({ schedule: 'linear', final: 1e-6 }, 300)).toMatchObject({ schedule: 'linear', final: 1e-6 });
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
    [{ adam: { beta2: 1 } }, 'finetune.adam.beta2'],
    [{ stepsPerEpoch: 'all' }, 'finetune.stepsPerEpoch'],
  ])('what it can not have: %j', async (keys, problem) => {
    const { config } = await withFinetune(keys);
    await expect(config()).rejects.toThrow(problem);
  });
});
