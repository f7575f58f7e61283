import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { FinetuneJob } from '../../../src/trainer/protocol.ts';
import { lossesIn, maximumDifference } from '../../helpers/jobs.ts';
import { runTorch, TORCH_TIMEOUTS, torchIsSetUp } from './torch-jobs.ts';
import { type TorchRig, torchRig } from './torch-rig.ts';

vi.setConfig(TORCH_TIMEOUTS);

describe.skipIf(!torchIsSetUp)('the attention of a finetune on PyTorch', () => {
  let rig: TorchRig;
  const job = (name: string, changes: Partial<FinetuneJob>) =>
    rig.job(path.join(rig.folder, name), { steps: 3, ...changes });

  beforeAll(async () => {
    rig = await torchRig('llava');
  });
  afterAll(() => rig?.remove());

  test("is transformers' choice by default, which is sdpa", async () => {
    const [usual, sdpa] = [job('usual', {}), job('sdpa', { attention: 'sdpa' })];
    for (const one of [usual, sdpa]) await runTorch(one, one.output, { processes: 1 });
    const [losses, named] = [await lossesIn(usual.output), await lossesIn(sdpa.output)];
    expect(losses).toHaveLength(3);
    expect(maximumDifference(named, losses)).toBe(0);
  });

  test('flash is refused by name where it can not be computed', async () => {
    const flash = job('flash', { attention: 'flash', computeDtype: 'bfloat16' });
    await expect(runTorch(flash, flash.output, { processes: 1 })).rejects.toThrow(
      /finetune\.attention: flash needs .*\. Or set finetune\.attention: sdpa/,
    );
  });
});
