/** A finetune on PyTorch does nothing twice and holds up no device, and learns what one learns that prepares all anew. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runningWith } from '../../../bench/support/processes.ts';
import type { FinetuneJob } from '../../../src/trainer/protocol.ts';
import { withFamily } from '../../../src/trainer/supervisor/trainer-step.ts';
import { lossesIn, maximumDifference } from '../../helpers/jobs.ts';
import { killLastRank, runTorch, TORCH_TIMEOUTS, torchIsSetUp, torchPython } from './torch-jobs.ts';
import { type TorchRig, torchRig } from './torch-rig.ts';

vi.setConfig(TORCH_TIMEOUTS);

/** What count-finetune.py prints. */
interface Work {
  opened: Record<string, number>;
  preparers: number;
  encoded: number;
  hashed: string[];
  events: ('step' | 'read')[];
  waits: Record<string, number>;
}

/** Images are prepared anew for each batch, by a thread, as the slowest way has it. */
const ANEW = { imageWorkers: 0, imageCacheGigabytes: 0 };
const DROPOUT = { rank: 4, alpha: 8, dropout: 0.1, targetModules: ['q_proj', 'v_proj'] };

describe.skipIf(!torchIsSetUp).each(['minigpt4', 'llava'] as const)('%s', (family) => {
  let rig: TorchRig;
  const inFolder = (name: string) => path.join(rig.folder, name);
  /** All samples several times, in another order each. */
  let job: (name: string, changes?: Partial<FinetuneJob>) => FinetuneJob;
  let images: number;

  beforeAll(async () => {
    rig = await torchRig(family);
    images = new Set(rig.mixture.samples.map(({ image }) => image).filter(Boolean)).size;
    job = (name, changes) => rig.job(inFolder(name), { startAdapter: undefined, lora: DROPOUT, ...changes });
  });
  afterAll(() => rig?.remove());

  const worked = async (name: string, changes: Partial<FinetuneJob> = {}): Promise<Work> => {
    const file = inFolder(`${name}-job.json`);
    await writeFile(file, JSON.stringify(await withFamily(job(name, changes))));
    return JSON.parse(await torchPython('count-finetune.py', file));
  };
  const times = ({ opened }: Work) => Object.values(opened).reduce((sum, count) => sum + count, 0);

  test('an image is opened and encoded once in all epochs, and no step but the last waits for what is computed', async () => {
    const anew = await worked('anew', ANEW);
    expect(times(anew)).toBeGreaterThan(images);
    expect(anew.encoded).toBe(times(anew));

    // A norm that no gradient has.
    const kept = await worked('kept', { imageWorkers: 2, maximumGradientNorm: 1e6 });
    expect([times(kept), kept.encoded]).toEqual([images, images]);
    expect(Object.keys(kept.opened)).toHaveLength(images);
    expect(kept.preparers).toBeGreaterThan(0);
    expect(kept.preparers).toBeLessThanOrEqual(2);
    expect(kept.waits).toEqual({});

    const [once, again] = [await lossesIn(inFolder('anew')), await lossesIn(inFolder('kept'))];
    expect(once).toHaveLength(12);
    expect(maximumDifference(again, once)).toBeLessThan(1e-5);
  });

  test('what a step leaves is read once the next has been started, but before a checkpoint and at the end', async () => {
    const { events } = await worked('late', { checkpointEverySteps: 5 });
    const steps = ['step', 'step', 'read', 'step', 'read', 'step', 'read', 'step', 'read', 'read'];
    expect(events).toEqual([...steps, ...steps, 'step', 'step', 'read', 'read']);
  });

  test('only so many images are kept as memory is given, and none with 0', async () => {
    // Places of an image, width of the vision side, bytes of a number.
    const bytes = 4 * 32 * 4;
    const some = await worked('some', { imageCacheGigabytes: (3 * bytes) / 1e9 });
    const counts = Object.values(some.opened);
    expect(counts.filter((count) => count === 1).length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...counts)).toBeGreaterThan(1);
    expect(maximumDifference(await lossesIn(inFolder('some')), await lossesIn(inFolder('anew')))).toBeLessThan(1e-5);
  });

  test('ends, to be tried again, when one of those that prepare images is killed', async () => {
    const { output } = job('preparer');
    await killLastRank(job('preparer', { imageWorkers: 2 }), output, { processes: 1 });
    expect(await runningWith(output)).toEqual([]);
  });

  test("a resumed finetune's curve is that of one left alone, and weights that did not change are not hashed again", async () => {
    const whole = job('whole', { imageWorkers: 2 });
    await runTorch(whole, whole.output, { processes: 1 });
    const killed = job('killed', { imageWorkers: 2 });
    await killLastRank(killed, killed.output, { processes: 1 }, 0);
    // Neither the rank nor one of those that prepared images for it.
    expect(await runningWith(killed.output)).toEqual([]);
    const { metrics } = await runTorch(killed, killed.output, { processes: 1 });
    expect(metrics.resumedAtStep).toBeGreaterThanOrEqual(4);
    expect(maximumDifference(await lossesIn(killed.output), await lossesIn(whole.output))).toBeLessThan(1e-6);
    const again = await worked('killed');
    expect(again.hashed).toEqual([]);

    const weights = path.join(rig.model, 'model.safetensors');
    await writeFile(weights, await readFile(weights));
    expect((await worked('killed')).hashed).toContain('model.safetensors');
  });
});

describe.skipIf(!torchIsSetUp)('a finetune by two processes', () => {
  test('learns the same with images kept and prepared by processes of their own', async () => {
    const rig = await torchRig('minigpt4');
    try {
      const outputs = [];
      for (const [name, changes] of Object.entries({ anew: ANEW, kept: { imageWorkers: 1 } })) {
        const { output } = rig.job(path.join(rig.folder, name));
        await runTorch(rig.job(output, { ...changes, microBatchSize: 2 }), output);
        outputs.push(await lossesIn(output));
      }
      const [anew, kept] = outputs as [number[], number[]];
      expect(maximumDifference(kept, anew)).toBeLessThan(1e-5);
    } finally {
      await rig.remove();
    }
  });
});
