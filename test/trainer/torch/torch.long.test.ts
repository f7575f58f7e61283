import { existsSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { FinetuneJob } from '../../../src/trainer/protocol.ts';
import type { Sharding, TorchSettings } from '../../../src/trainer/supervisor/trainer-command.ts';
import { lossesIn, maximumDifference } from '../../helpers/jobs.ts';
import { describeTorchBesideOurs } from './torch-beside-ours.ts';
import { isSetUp, killLastRank, runTorch, TORCH_TIMEOUTS, torchIsSetUp } from './torch-jobs.ts';
import { type TorchRig, torchRig } from './torch-rig.ts';

vi.setConfig(TORCH_TIMEOUTS);

describeTorchBesideOurs('llava');

describe.skipIf(!torchIsSetUp)('a finetune under torchrun', () => {
  let rig: TorchRig;

  beforeAll(async () => {
    rig = await torchRig('minigpt4');
  });
  afterAll(() => rig?.remove());

  const ways: Record<'startedWith' | 'resumedWith', TorchSettings>[] = [
    { startedWith: { processes: 2 }, resumedWith: { processes: 1 } },
    { startedWith: { processes: 1 }, resumedWith: { processes: 2, sharding: 'fsdp' } },
    { startedWith: { processes: 2, sharding: 'fsdp' }, resumedWith: { processes: 3, sharding: 'fsdp' } },
    { startedWith: { processes: 2, sharding: 'fsdp' }, resumedWith: { processes: 3, sharding: 'deepspeed' } },
    { startedWith: { processes: 2, sharding: 'deepspeed' }, resumedWith: { processes: 1, sharding: 'deepspeed' } },
    { startedWith: { processes: 3, sharding: 'deepspeed' }, resumedWith: { processes: 1 } },
  ];
  const possible = ways.filter(
    ({ startedWith, resumedWith }) => isSetUp(startedWith.sharding) && isSetUp(resumedWith.sharding),
  );
  test.each(possible)(
    'started with $startedWith and killed resumes with $resumedWith',
    async ({ startedWith, resumedWith }) => {
      const undisturbed = path.join(rig.folder, 'undisturbed');
      if (!existsSync(undisturbed)) await runTorch(rig.job(undisturbed), undisturbed);
      const killed = await mkdtemp(path.join(rig.folder, 'killed-'));
      await killLastRank(rig.job(killed), killed, startedWith);
      const { metrics } = await runTorch(rig.job(killed), killed, resumedWith);
      expect(metrics.resumedAtStep).toBeGreaterThanOrEqual(4);
      expect(maximumDifference(await lossesIn(killed), await lossesIn(undisturbed))).toBeLessThan(1e-3);
    },
  );

  test('in bfloat16, weights and products, follows the float32 curve, sharded or not', async () => {
    const curve = async (name: string, changes: Partial<FinetuneJob>, sharding: Sharding) => {
      const output = path.join(rig.folder, name);
      await runTorch(rig.job(output, changes), output, { sharding });
      return lossesIn(output);
    };
    const half = { computeDtype: 'bfloat16', weightDtype: 'bfloat16' } as const;
    const [float, whole] = [await curve('float', {}, 'none'), await curve('half', half, 'none')];
    expect(maximumDifference(whole, float)).toBeLessThan(0.05);
    expect(maximumDifference(whole, float)).toBeGreaterThan(0);
    for (const sharding of (['fsdp', 'deepspeed'] as const).filter(isSetUp)) {
      const sharded = await curve(`half-${sharding}`, half, sharding);
      expect(maximumDifference(sharded, whole), sharding).toBeLessThan(0.02);
      expect(maximumDifference(sharded, float), sharding).toBeGreaterThan(0);
    }
  });

  test.each((['none', 'fsdp', 'deepspeed'] as const).filter(isSetUp))(
    'asked to stop writes a checkpoint first, sharding %s',
    async (sharding) => {
      const output = await mkdtemp(path.join(rig.folder, 'stopped-'));
      const abort = new AbortController();
      const attempt = runTorch(rig.job(output), output, {
        sharding,
        signal: abort.signal,
        onMessage: (message) => {
          if (message.type === 'progress') abort.abort(new Error('asked to stop'));
        },
      });
      await expect(attempt).rejects.toThrow('asked to stop');
      const steps = (await readFile(path.join(output, 'loss.jsonl'), 'utf8')).trim().split('\n').length;
      const record = `torch-${String(steps).padStart(8, '0')}.json`;
      expect(existsSync(path.join(output, 'checkpoints', record))).toBe(true);
    },
  );
});
