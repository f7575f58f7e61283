/** Both trainers' merges beside PEFT's own, `merge_and_unload`, in the base model's type. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { familyOf } from '../../../src/model/families/index.ts';
import { writeAdapter } from '../../../src/model/files/adapter.ts';
import { modelFiles, readModelDirectory, writeModelDirectory } from '../../../src/model/files/model-directory.ts';
import { merge } from '../../../src/trainer/jobs/merge/merge.ts';
import type { MergeJob } from '../../../src/trainer/protocol.ts';
import { recordingReporter } from '../../helpers/jobs.ts';
import { type TinyMixture, writeTinyMixture, writeTinyModel } from '../../helpers/tiny-model.ts';
import { runTorch, TORCH_TIMEOUTS, torchIsSetUp, torchPython } from './torch-jobs.ts';

vi.setConfig(TORCH_TIMEOUTS);

let folder: string;
let mixture: TinyMixture;
const inFolder = (name: string) => path.join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'merge-dtype-'));
  mixture = await writeTinyMixture(inFolder('mixture'), 8);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const values = (length: number) => Float32Array.from({ length }, (_, index) => Math.sin(index + 1) / 4);

interface Compared {
  values: number;
  differ: number;
  steps: number;
  difference: number;
  dtypes: string[];
}

async function besidePeft(base: string, adapter: string, merged: string): Promise<Compared> {
  return JSON.parse(await torchPython('check-merge.py', base, adapter, merged));
}

/** The merged model has its weights in the files of the base model, and some of these are the same. */
async function expectShared(base: string, merged: string): Promise<void> {
  const weights = async (directory: string) => {
    const names = (await modelFiles(directory)).filter((name) => name.endsWith('.safetensors'));
    return Promise.all(names.map(async (name) => ({ name, place: (await stat(path.join(directory, name))).ino })));
  };
  const [before, after] = [await weights(base), await weights(merged)];
  expect(after.map(({ name }) => name)).toEqual(before.map(({ name }) => name));
  const shared = after.filter(({ place }, index) => place === before[index]?.place);
  expect(shared.length).toBeGreaterThan(0);
  expect(shared.length).toBeLessThan(after.length);
}

describe.skipIf(!torchIsSetUp).each(['minigpt4', 'llava'] as const)('%s', (family) => {
  /** The tiny model in this type, in shards, and an adapter of some of its layers. */
  async function pair(dtype: 'F32' | 'BF16'): Promise<{ model: string; adapter: string }> {
    const [whole, model, adapter] = ['whole', 'base', 'adapter'].map((name) =>
      inFolder(`${family}-${dtype}-${name}`),
    ) as [string, string, string];
    await writeTinyModel(whole, { family });
    const directory = await readModelDirectory(whole);
    const { config, shapes } = directory;
    const tensors = [...shapes].map(([name, shape]) => ({
      name,
      shape: [...shape],
      data: async () => (await directory.read(name)).data,
    }));
    await writeModelDirectory(model, { config, tensors, dtype, copyFrom: whole, maximumShardBytes: 40_000 });
    await directory.close();
    const modules = ['self_attn.q_proj', 'mlp.down_proj'].map((name) => `language_model.model.layers.1.${name}`);
    const factors = modules.map((module) => {
      const [outputs, inputs] = shapes.get(`${module}.weight`) as [number, number];
      const A = { shape: [2, inputs], data: values(2 * inputs) };
      const B = { shape: [outputs, 2], data: values(2 * outputs) };
      return [module, { A, B }] as const;
    });
    await writeAdapter(adapter, {
      config: { r: 2, lora_alpha: 4, target_modules: ['q_proj', 'down_proj'] },
      tensors: new Map(factors),
      moduleName: familyOf(config).moduleName,
    });
    return { model, adapter };
  }

  test.each(['F32', 'BF16'] as const)('in %s, each weight of both merges is that of PEFT', async (dtype) => {
    const { model, adapter } = await pair(dtype);
    const job = (output: string): MergeJob => ({
      kind: 'merge',
      model,
      adapter,
      output: inFolder(`${family}-${dtype}-${output}`),
      parity: { samples: mixture.samplesFile, count: 4, tolerance: 1e-3 },
    });
    const [ours, theirs] = [job('by us'), job('by them')];
    await merge(ours, recordingReporter());
    await runTorch(theirs, inFolder('job'), { processes: 1 });

    const byThem = await besidePeft(model, adapter, theirs.output);
    expect(byThem).toMatchObject({ differ: 0, dtypes: [dtype === 'F32' ? 'torch.float32' : 'torch.bfloat16'] });
    // Ours adds up the ranks in another order: a sum may be rounded to the neighbor of a number in the middle of two.
    const byUs = await besidePeft(model, adapter, ours.output);
    if (dtype === 'F32') expect(byUs.difference).toBeLessThan(1e-6);
    else expect(byUs.steps).toBeLessThanOrEqual(1);
    expect(byUs.differ).toBeLessThan(byUs.values / (dtype === 'F32' ? 10 : 1000));
    await expectShared(model, theirs.output);
  });
});

describe.skipIf(!torchIsSetUp).each(['llava_next', 'qwen2_5_vl'])('%s', (kind) => {
  test('in bfloat16, each weight of the merge is that of PEFT, and the config says so', async () => {
    const [model, adapter, output] = [inFolder(kind), inFolder(`${kind}-adapter`), inFolder(`${kind}-merged`)];
    await torchPython('make-chat-model.py', kind, model, 'bfloat16');
    await torchPython('make-adapter.py', model, adapter);
    const parity = { samples: mixture.samplesFile, count: 2, tolerance: 1e-3 };
    const job = { kind: 'merge', model, adapter, output, parity } as const;
    await runTorch(job, inFolder('job'), { processes: 1 });
    expect(await besidePeft(model, adapter, output)).toMatchObject({ differ: 0, dtypes: ['torch.bfloat16'] });

    await expectShared(model, output);
    const dtypes = async (directory: string) => {
      const { dtype, text_config } = JSON.parse(await readFile(path.join(directory, 'config.json'), 'utf8'));
      return [dtype, text_config.dtype];
    };
    expect(await dtypes(output)).toEqual(['bfloat16', 'bfloat16']);

    const wide = inFolder(`${kind}-wide`);
    const { metrics } = await runTorch({ ...job, output: wide, dtype: 'float32' }, inFolder('job'), { processes: 1 });
    expect(metrics.maximumDifference).toBeLessThan(1e-4);
    expect(await dtypes(wide)).toEqual(['float32', 'float32']);
  });

  test('an adapter that is no plain LoRA is merged by PEFT, and rounded to the base model', async () => {
    const [model, adapter, output] = [inFolder(`${kind}-2`), inFolder(`${kind}-dora`), inFolder(`${kind}-dora-merged`)];
    await torchPython('make-chat-model.py', kind, model, 'bfloat16');
    await torchPython('make-adapter.py', model, adapter, 'dora');
    const parity = { samples: mixture.samplesFile, count: 2, tolerance: 1e-3 };
    await runTorch({ kind: 'merge', model, adapter, output, parity }, inFolder('job'), { processes: 1 });
    const compared = await besidePeft(model, adapter, output);
    expect(compared.dtypes).toEqual(['torch.bfloat16']);
    expect(compared.differ).toBeLessThan(compared.values / 10);
  });
});
