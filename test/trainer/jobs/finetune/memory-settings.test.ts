/** What makes a large model fit one GPU must leave the training as it is. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { finetune } from '../../../../src/trainer/jobs/finetune/finetune.ts';
import type { FinetuneJob } from '../../../../src/trainer/protocol.ts';
import { lossesIn, maximumDifference, recordingReporter, tinyFinetune } from '../../../helpers/jobs.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { makeTinyTraining, type TinyMixture } from '../../../helpers/tiny-model.ts';

const STEPS = 8;
let folder: string;
let model: string;
let mixture: TinyMixture;
let plain: number[];

/** Dropout draws other masks for other batch shapes; without it the curves are the same. */
function job(output: string, changes: Partial<FinetuneJob>): FinetuneJob {
  const { lora, ...rest } = tinyFinetune(model, mixture, output, { steps: STEPS, batchSize: 4, microBatchSize: 4 });
  return { ...rest, lora: { ...lora, dropout: 0 }, checkpointEverySteps: 4, ...changes };
}

async function curve(changes: Partial<FinetuneJob>): Promise<number[]> {
  const output = await temporaryFolder();
  await finetune(job(output, changes), recordingReporter());
  return lossesIn(output);
}

beforeAll(async () => {
  ({ folder, model, mixture } = await makeTinyTraining(STEPS * 4));
  const output = path.join(folder, 'plain');
  await finetune(job(output, {}), recordingReporter());
  plain = await lossesIn(output);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('gradient accumulation', () => {
  test('has the loss curve of the whole batch, whatever the size of the parts', async () => {
    expect((plain[0] as number) - (plain.at(-1) as number)).toBeGreaterThan(0.1);
    expect(maximumDifference(await curve({ microBatchSize: 1 }), plain)).toBeLessThan(1e-5);
  });

  test('resumes from a checkpoint as if it had not been interrupted', async () => {
    const output = await temporaryFolder();
    await expect(finetune(job(output, { microBatchSize: 2 }), recordingReporter(5))).rejects.toThrow('asked to stop');
    const { metrics } = await finetune(job(output, { microBatchSize: 2 }), recordingReporter());
    expect(metrics.resumedAtStep).toBe(5);
    expect(maximumDifference(await lossesIn(output), plain)).toBeLessThan(1e-5);
  });
});

describe('activation recomputation', () => {
  test('has the same loss curve, dropout included', async () => {
    expect(maximumDifference(await curve({ activationCheckpointing: true }), plain)).toBeLessThan(1e-5);
    const dropped = {
      lora: { rank: 4, alpha: 8, dropout: 0.2, targetModules: ['q_proj', 'down_proj'] },
    } satisfies Partial<FinetuneJob>;
    const again = await curve({ ...dropped, activationCheckpointing: true });
    expect(maximumDifference(again, await curve(dropped))).toBeLessThan(1e-5);
  });
});

describe('narrow numbers', () => {
  test('weights stored as bfloat16 train nearly as those of float32', async () => {
    const losses = await curve({ weightDtype: 'bfloat16', activationCheckpointing: true });
    // 8 bits of mantissa: each weight is off by up to 0.4 percent.
    expect(maximumDifference(losses, plain)).toBeLessThan(0.03);
    expect(maximumDifference(losses, plain)).toBeGreaterThan(0);
  });

  test('products in bfloat16 too', async () => {
    const losses = await curve({ weightDtype: 'bfloat16', computeDtype: 'bfloat16' });
    expect(maximumDifference(losses, plain)).toBeLessThan(0.1);
    expect(maximumDifference(losses, plain)).toBeGreaterThan(0);
  });
});
