/** All that may be trained, on PyTorch by PEFT itself, against the TensorFlow trainer. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openSafetensors } from '../../../src/model/files/safetensors.ts';
import { finetune } from '../../../src/trainer/jobs/finetune/finetune.ts';
import { merge } from '../../../src/trainer/jobs/merge/merge.ts';
import type { FinetuneJob } from '../../../src/trainer/protocol.ts';
import { lossesIn, maximumDifference, recordingReporter } from '../../helpers/jobs.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { killLastRank, runTorch, TORCH_TIMEOUTS, torchIsSetUp, torchPython } from './torch-jobs.ts';
import { type TorchRig, torchRig } from './torch-rig.ts';

vi.setConfig(TORCH_TIMEOUTS);

const sides = {
  minigpt4: { vision: ['qkv', 'fc1', 'query', 'dense'], projector: ['language_projection'] },
  llava: { vision: ['q_proj', 'fc2'], projector: ['linear_1', 'linear_2'] },
};

/** The largest difference of any value of two adapters. */
async function adapterDifference(one: string, other: string): Promise<number> {
  const [ours, theirs] = await Promise.all(
    [one, other].map((folder) => openSafetensors(path.join(folder, 'adapter_model.safetensors'))),
  );
  if (!ours || !theirs) throw new Error('no adapters');
  expect([...theirs.tensors.keys()].sort()).toEqual([...ours.tensors.keys()].sort());
  let most = 0;
  for (const name of ours.tensors.keys()) {
    most = Math.max(most, maximumDifference(await theirs.read(name), await ours.read(name)));
  }
  await Promise.all([ours.close(), theirs.close()]);
  return most;
}

describe.skipIf(!torchIsSetUp).each(['minigpt4', 'llava'] as const)('%s', (family) => {
  let rig: TorchRig;
  const { vision, projector } = sides[family];
  const language = ['q_proj', 'down_proj'];
  const lora = { rank: 4, alpha: 8, dropout: 0 };
  const cases: Record<string, Partial<FinetuneJob>> = {
    'the vision side by rsLoRA, the projection whole': {
      lora: { ...lora, targetModules: { language, vision }, rslora: true },
      trainable: ['projection'],
    },
    'all parts by DoRA': { lora: { ...lora, targetModules: { language, vision, projector }, dora: true } },
  };
  const folderOf = (name: string) => path.join(rig.folder, name.replaceAll(/\W+/g, '-'));
  const startOf = async (name: string) => {
    const start = folderOf(`${name} start`);
    await finetune(rig.job(start, { ...cases[name], startAdapter: undefined, steps: 2 }), recordingReporter());
    return start;
  };

  beforeAll(async () => {
    rig = await torchRig(family);
  });
  afterAll(() => rig?.remove());

  test.each(Object.entries(cases))(
    "%s: three steps, merged and read, are the TensorFlow trainer's",
    async (name, changes) => {
      const startAdapter = await startOf(name);
      const [ours, theirs] = [folderOf(`${name} ours`), folderOf(`${name} theirs`)];
      await finetune(rig.job(ours, { ...changes, startAdapter, steps: 3 }), recordingReporter());
      await runTorch(rig.job(theirs, { ...changes, startAdapter, steps: 3 }), theirs, { processes: 1 });
      expect(maximumDifference(await lossesIn(theirs), await lossesIn(ours))).toBeLessThan(1e-4);
      expect(await adapterDifference(ours, theirs)).toBeLessThan(1e-4);

      const byUs = await merge(rig.mergeJob(theirs, folderOf(`${name} by us`)), recordingReporter());
      expect(byUs.metrics.maximumDifference).toBeLessThan(1e-4);
      const byThem = await runTorch(rig.mergeJob(ours, folderOf(`${name} by them`)), folderOf('job'), { processes: 1 });
      expect(byThem.metrics.maximumDifference).toBeLessThan(1e-4);
    },
  );

  test('a new adapter, sharded by FSDP, killed and resumed, is that of one process', async () => {
    const changes = { ...cases['the vision side by rsLoRA, the projection whole'], startAdapter: undefined };
    const [alone, killed] = [folderOf('alone'), folderOf('killed')];
    await runTorch(rig.job(alone, changes), alone, { processes: 1 });
    await killLastRank(rig.job(killed, changes), killed, { sharding: 'fsdp' });
    const { metrics } = await runTorch(rig.job(killed, changes), killed, { sharding: 'fsdp' });
    expect(metrics.resumedAtStep).toBeGreaterThanOrEqual(4);
    expect(maximumDifference(await lossesIn(killed), await lossesIn(alone))).toBeLessThan(1e-3);
    expect(await adapterDifference(alone, killed)).toBeLessThan(5e-3);
    const config = JSON.parse(await readFile(path.join(killed, 'adapter_config.json'), 'utf8'));
    expect(config).toMatchObject({ use_rslora: true, modules_to_save: [expect.stringMatching(/project/)] });
  });

  test.runIf(family === 'llava')('a layer that the vision side does not have is refused by name', async () => {
    const output = folderOf('refused');
    const changes = { startAdapter: undefined, lora: { ...lora, targetModules: { vision: ['qkv'] } } };
    await expect(runTorch(rig.job(output, changes), output, { processes: 1 })).rejects.toMatchObject({
      kind: 'input',
      message: expect.stringMatching(/targetModules\.vision: 'qkv' is no linear layer.*fc1/),
    });
  });
});

test.skipIf(!torchIsSetUp)(
  'parts of other families have their own layers; an unknown projection is refused',
  async () => {
    const folder = await temporaryFolder();
    const layers = {
      qwen3_vl: {
        language: { language_model: 14 },
        vision: { visual: 10 },
        projector: { visual: 2 },
        saved: ['merger'],
      },
      video_llava: {
        language: { language_model: 14 },
        vision: { image_tower: 6, video_tower: 6 },
        projector: { multi_modal_projector: 2 },
        saved: ['multi_modal_projector'],
      },
      deepseek_vl: {
        language: { language_model: 14 },
        vision: { vision_model: 12 },
        projector: { aligner: 2 },
        saved: ['aligner'],
      },
    };
    const kinds = Object.keys(layers);
    await torchPython('make-family.py', folder, ...kinds);
    const found = JSON.parse(await torchPython('check-parts.py', folder, ...kinds));
    expect(found).toMatchObject(layers);
    expect(found.deepseek_vl.refused).toBe(
      'finetune.trainable: the projection of LlamaModel is not known: leave projection out',
    );
  },
);
