/** What a merged model's weights are written as: computed in float32, rounded once, and left alone where nothing changes. */
import { cp, mkdtemp, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { familyOf } from '../../../../src/model/families/index.ts';
import { readAdapter, writeAdapter } from '../../../../src/model/files/adapter.ts';
import { narrowToBfloat16, narrowToFloat16 } from '../../../../src/model/files/half-precision.ts';
import {
  type ModelDirectory,
  modelFiles,
  readModelDirectory,
  writeModelDirectory,
} from '../../../../src/model/files/model-directory.ts';
import type { WeightFormat } from '../../../../src/model/files/safetensors-header.ts';
import { merge } from '../../../../src/trainer/jobs/merge/merge.ts';
import { mergedWeight, pairOf } from '../../../../src/trainer/jobs/merge/merged-tensors.ts';
import type { JobOutcome, MergeJob } from '../../../../src/trainer/protocol.ts';
import { recordingReporter } from '../../../helpers/jobs.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { makeTinyTraining, type TinyMixture } from '../../../helpers/tiny-model.ts';

const ADAPTED = 'language_model.model.layers.1.self_attn.q_proj';
let folder: string;
let original: string;
let mixture: TinyMixture;
let adapter: string;

beforeAll(async () => {
  ({ folder, model: original, mixture } = await makeTinyTraining(16));
  adapter = path.join(folder, 'adapter');
  await adapterOf(adapter, 0.3);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Of one layer. */
async function adapterOf(directory: string, size: number): Promise<void> {
  const values = (length: number) => Float32Array.from({ length }, (_, index) => size * Math.sin(index + 1));
  const pair = { A: { shape: [2, 32], data: values(64) }, B: { shape: [32, 2], data: values(64) } };
  await writeAdapter(directory, {
    config: { r: 2, lora_alpha: 4, target_modules: ['q_proj'] },
    tensors: new Map([[ADAPTED, pair]]),
  });
}

/** The tiny model in this type, by name if need be, in shards. */
async function baseIn(dtype: (name: string) => WeightFormat): Promise<string> {
  const directory = path.join(await temporaryFolder(), 'base');
  await withModel(original, (model) =>
    writeModelDirectory(directory, {
      config: model.config,
      tensors: [...model.shapes].map(([name, shape]) => ({
        name,
        shape: [...shape],
        dtype: dtype(name),
        data: async () => (await model.read(name)).data,
      })),
      dtype: dtype(`${ADAPTED}.weight`),
      copyFrom: original,
      maximumShardBytes: 40_000,
    }),
  );
  return directory;
}

async function withModel<R>(directory: string, work: (model: ModelDirectory) => Promise<R>): Promise<R> {
  const model = await readModelDirectory(directory);
  try {
    return await work(model);
  } finally {
    await model.close();
  }
}

const parity = (count = 4) => ({ samples: mixture.samplesFile, count, tolerance: 1e-3 });

function mergeInto(output: string, model: string, changes: Partial<MergeJob> = {}): Promise<JobOutcome> {
  return merge({ model, adapter, output, parity: parity(), ...changes }, recordingReporter());
}

async function merged(model: string, changes: Partial<MergeJob> = {}): Promise<{ output: string; difference: number }> {
  const output = path.join(await temporaryFolder(), 'merged');
  const { metrics } = await mergeInto(output, model, changes);
  return { output, difference: metrics.maximumDifference as number };
}

const rounded = {
  F32: (values: Float32Array) => values,
  F16: narrowToFloat16,
  BF16: narrowToBfloat16,
};

async function bytesOf(model: ModelDirectory, name: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of model.readBytes(name)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Every tensor is what base + adapter gives in float32, rounded once to this type. */
async function expectMerged(base: string, output: string, dtype: (name: string) => WeightFormat): Promise<void> {
  const factors = await readAdapter(adapter);
  await withModel(base, (before) =>
    withModel(output, async (after) => {
      for (const name of before.names()) {
        const weight = await before.read(name);
        const pair = pairOf(factors, name);
        const wanted = rounded[dtype(name)](pair ? mergedWeight(weight, pair) : weight.data);
        expect(after.dtypeOf(name), name).toBe(dtype(name));
        const bytes = new Uint8Array(wanted.buffer, wanted.byteOffset, wanted.byteLength);
        expect(Buffer.compare(await bytesOf(after, name), bytes), name).toBe(0);
      }
    }),
  );
}

const weightFiles = async (directory: string) =>
  (await modelFiles(directory)).filter((name) => name.endsWith('.safetensors'));
const configOf = async (directory: string) => JSON.parse(await readFile(path.join(directory, 'config.json'), 'utf8'));

describe.each([
  ['BF16', 'bfloat16'],
  ['F16', 'float16'],
  ['F32', 'float32'],
] as const)('a base model in %s', (format, name) => {
  test('gives a merged model of that type and of the same size, which the comparison accepts', async () => {
    const base = await baseIn(() => format);
    const { output, difference } = await merged(base);
    await expectMerged(base, output, () => format);
    expect(await configOf(output)).toMatchObject({ dtype: name, torch_dtype: name });
    const bytes = async (directory: string) =>
      withModel(directory, async ({ files }) => files.reduce((sum, file) => sum + file.bytes, 0));
    expect(await bytes(output)).toBe(await bytes(base));
    expect(difference).toBeGreaterThan(0);
  });

  test('shares the bytes of the shards in which nothing changes', async () => {
    const base = await baseIn(() => format);
    const { output } = await merged(base);
    const places = async (directory: string) =>
      Promise.all((await weightFiles(directory)).map(async (file) => (await stat(path.join(directory, file))).ino));
    const [before, after] = [await places(base), await places(output)];
    expect(before.length).toBeGreaterThan(2);
    expect(after).toHaveLength(before.length);
    // All but the one with the adapted layer.
    expect(after.filter((place) => before.includes(place))).toHaveLength(before.length - 1);
  });
});

test('tensors of a base model in several types keep theirs; the config names that of most bytes', async () => {
  const dtype = (name: string) => (name.startsWith('language_model.') ? 'BF16' : 'F32');
  const base = await baseIn(dtype);
  const { output } = await merged(base);
  await expectMerged(base, output, dtype);
  const total = { F32: 0, BF16: 0 };
  await withModel(base, async ({ shapes }) => {
    for (const [name, shape] of shapes) {
      total[dtype(name)] += shape.reduce((product, size) => product * size, dtype(name) === 'F32' ? 4 : 2);
    }
  });
  expect((await configOf(output)).dtype).toBe(total.BF16 > total.F32 ? 'bfloat16' : 'float32');
});

test.each([
  ['float32', 'F32', 'BF16'],
  ['float16', 'F16', 'BF16'],
  ['bfloat16', 'BF16', 'F32'],
] as const)('dtype: %s is %s for every tensor of a base model in %s', async (dtype, format, own) => {
  const base = await baseIn(() => own);
  const { output } = await merged(base, { dtype });
  await expectMerged(base, output, () => format);
  expect(await configOf(output)).toMatchObject({ dtype, torch_dtype: dtype });
});

test('a weight that a narrow type has no number for fails the comparison, which says what to set', async () => {
  const large = path.join(folder, 'large');
  await adapterOf(large, 400);
  const base = await baseIn(() => 'F32');
  await expect(merged(base, { adapter: large, dtype: 'float16' })).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringContaining('merge.dtype: float32'),
  });
});

test('a base model whose files are symbolic links, as in the cache of the Hub, is linked by its files', async () => {
  const base = await baseIn(() => 'BF16');
  const linked = path.join(await temporaryFolder(), 'linked');
  await cp(base, linked, { recursive: true, filter: (file) => !file.endsWith('.safetensors') });
  for (const name of await weightFiles(base)) await symlink(path.join(base, name), path.join(linked, name));
  const { output } = await merged(linked);
  await rm(linked, { recursive: true });
  await expectMerged(base, output, () => 'BF16');
});

test('shards on another disk are copied', async (context) => {
  const elsewhere = await mkdtemp('/dev/shm/merged-').catch(() => context.skip('there is no second disk'));
  try {
    if ((await stat(elsewhere)).dev === (await stat(tmpdir())).dev) context.skip('there is no second disk');
    const base = await baseIn(() => 'BF16');
    const output = path.join(elsewhere, 'merged');
    await mergeInto(output, base);
    await expectMerged(base, output, () => 'BF16');
  } finally {
    await rm(elsewhere, { recursive: true, force: true });
  }
});

describe('a job that was ended while it compared the models', () => {
  const attempts = async () => {
    const place = await temporaryFolder();
    return { output: path.join(place, 'merged'), written: path.join(place, 'written') };
  };

  test('does not merge again, but compares again', async () => {
    const base = await baseIn(() => 'BF16');
    const { output, written } = await attempts();
    const first = await mergeInto(output, base, { written });
    const weights = path.join(output, (await weightFiles(output))[0] as string);
    const before = await stat(weights);
    expect((await mergeInto(output, base, { written })).metrics).toEqual(first.metrics);
    expect(await stat(weights)).toEqual(before);
  });

  test('does not pass a model that is not base + adapter; the next attempt merges again', async () => {
    const base = await baseIn(() => 'F32');
    const { output, written } = await attempts();
    const weak = path.join(folder, 'weak');
    await adapterOf(weak, 0.001);
    await mergeInto(output, base, { written, adapter: weak });
    const strong = path.join(folder, 'strong');
    await adapterOf(strong, 2);
    await expect(mergeInto(output, base, { written, adapter: strong })).rejects.toThrow(/differ from those of base/);
    await expect(mergeInto(output, base, { written, adapter: strong })).resolves.toBeDefined();
  });
});

test('every weight file that holds the model and nothing else can be shared', async () => {
  const base = await baseIn(() => 'BF16');
  await withModel(base, async ({ config, files }) => {
    expect(files.flatMap(({ names }) => names).toSorted()).toEqual(
      [...familyOf(config).expectedTensors().keys()].toSorted(),
    );
  });
});
