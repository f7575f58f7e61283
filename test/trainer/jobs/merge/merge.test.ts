import { cp, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { readAdapter } from '../../../../src/model/files/adapter.ts';
import { type ModelDirectory, readModelDirectory } from '../../../../src/model/files/model-directory.ts';
import { Program } from '../../../../src/model/ops/program.ts';
import { finetune } from '../../../../src/trainer/jobs/finetune/finetune.ts';
import { merge } from '../../../../src/trainer/jobs/merge/merge.ts';
import type { JobOutcome, MergeJob } from '../../../../src/trainer/protocol.ts';
import { maximumDifference, recordingReporter, tinyFinetune } from '../../../helpers/jobs.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { makeTinyTraining, type TinyMixture, writeTinyModel } from '../../../helpers/tiny-model.ts';

let folder: string;
let mixture: TinyMixture;
let model: string;
let adapter: string;

beforeAll(async () => {
  ({ folder, model, mixture } = await makeTinyTraining(16));
  adapter = path.join(folder, 'adapter');
  await finetune(tinyFinetune(model, mixture, adapter, { steps: 8 }), recordingReporter());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function mergeWith(changes: Partial<MergeJob>): Promise<{ output: string; metrics: Record<string, number> }> {
  const output = path.join(await temporaryFolder(), 'merged');
  const { metrics } = await mergeInto(output, changes);
  return { output, metrics };
}

function mergeInto(output: string, changes: Partial<MergeJob>): Promise<JobOutcome> {
  const parity = { samples: mixture.samplesFile, count: 4, tolerance: 1e-3 };
  return merge({ model, adapter, output, parity, ...changes }, recordingReporter());
}

async function withModels<R>(directories: string[], work: (...models: ModelDirectory[]) => Promise<R>): Promise<R> {
  const models = await Promise.all(directories.map((directory) => readModelDirectory(directory)));
  try {
    return await work(...models);
  } finally {
    await Promise.all(models.map((each) => each.close()));
  }
}

test('the merged model answers as base and adapter do, with its tokenizer beside it', async () => {
  const { output, metrics } = await mergeWith({});
  expect(metrics.adaptedLayers).toBe(6);
  expect(metrics.maximumDifference).toBeGreaterThan(0);
  expect(metrics.maximumDifference).toBeLessThan(1e-4);
  // Merged again with nothing to add, it would need the tokenizer and the preprocessor that came along.
  await expect(mergeWith({ model: output })).resolves.toBeDefined();
});

test('bugs/14-chat-template-lost: every companion file of the model goes along, and nothing else', async () => {
  const base = path.join(await temporaryFolder(), 'base');
  await cp(model, base, { recursive: true });
  const companions = ['chat_template.jinja', 'chat_template.json', 'LICENSE', 'video_preprocessor_config.json'];
  const others = [
    'manifest.json',
    'pytorch_model.bin',
    'pytorch_model.bin.index.json',
    'adapter_config.json',
    '.hidden',
  ];
  const template = path.join('additional_chat_templates', 'rag.jinja');
  await mkdir(path.join(base, 'additional_chat_templates'));
  for (const name of [...companions, ...others, template]) await writeFile(path.join(base, name), `of ${name}`);

  const output = path.join(await temporaryFolder(), 'merged');
  const { outputs } = await mergeInto(output, { model: base });
  const written = [
    'config.json',
    'model.safetensors',
    'preprocessor_config.json',
    'special_tokens_map.json',
    'tokenizer.json',
    'tokenizer_config.json',
  ];
  expect(outputs).toEqual([...companions, ...written, template].toSorted());
  for (const name of [...companions, template])
    expect(await readFile(path.join(output, name), 'utf8')).toBe(`of ${name}`);
  // Over what is there already, too.
  await expect(mergeInto(output, { model: base })).resolves.toMatchObject({ outputs });
});

test('only the adapted layers change, each by B A alpha / rank', async () => {
  const { output } = await mergeWith({});
  const { tensors, config } = await readAdapter(adapter);
  await withModels([model, output], async (base, merged) => {
    for (const name of base.names()) {
      const [before, after] = [await base.read(name), await merged.read(name)];
      const pair = tensors.get(name.replace(/\.weight$/, ''));
      const [, inputs = 1] = before.shape;
      const wanted = before.data.map((value, place) => {
        if (!pair) return value;
        const [row, column] = [Math.floor(place / inputs), place % inputs];
        let update = 0;
        for (let inner = 0; inner < config.r; inner++) {
          update += (pair.B.data[row * config.r + inner] as number) * (pair.A.data[inner * inputs + column] as number);
        }
        return value + (update * config.lora_alpha) / config.r;
      });
      expect(maximumDifference(after.data, wanted), name).toBeLessThan(1e-6);
    }
  });
});

test('an adapter of another size is refused, naming adapter and layer', async () => {
  const wider = path.join(await temporaryFolder(), 'wider');
  await writeTinyModel(wider, { hidden: 64 });
  await expect(mergeWith({ model: wider })).rejects.toMatchObject({
    name: 'InputError',
    file: adapter,
    field: expect.stringMatching(/^language_model\.model\.layers\.0\./),
    problem: "adapts a weight of [32, 32], the model's is [64, 64]",
  });
});

test('the check with matrices stored as bfloat16 finds as small a difference: both models round alike', async () => {
  const parity = { samples: mixture.samplesFile, count: 4, tolerance: 1e-4, weightDtype: 'bfloat16' as const };
  const { metrics } = await mergeWith({ parity });
  expect(metrics.maximumDifference).toBeGreaterThan(0);
  expect(metrics.maximumDifference).not.toBe((await mergeWith({})).metrics.maximumDifference);
});

test('base and merged model are compared one after the other: one of them is in memory at a time', async () => {
  const { load, dispose } = Program.prototype;
  const loaded = new Set<Program>();
  let [most, all] = [0, 0];
  vi.spyOn(Program.prototype, 'load').mockImplementation(function (this: Program) {
    loaded.add(this);
    all += 1;
    most = Math.max(most, loaded.size);
    load.call(this);
  });
  vi.spyOn(Program.prototype, 'dispose').mockImplementation(function (this: Program) {
    loaded.delete(this);
    dispose.call(this);
  });
  onTestFinished(() => void vi.restoreAllMocks());
  await mergeWith({});
  expect(all).toBeGreaterThan(2);
  expect([most, loaded.size]).toEqual([1, 0]);
});

test('logits that differ by more than the tolerance fail the merge', async () => {
  const parity = { samples: mixture.samplesFile, count: 2, tolerance: 1e-12 };
  await expect(mergeWith({ parity })).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringContaining('differ from those of base + adapter'),
  });
});

test('a base model that is cut short is refused, naming file and tensor, and leaves nothing', async () => {
  const broken = path.join(await temporaryFolder(), 'broken');
  await cp(model, broken, { recursive: true });
  await truncate(path.join(broken, 'model.safetensors'), 100_000);
  const output = path.join(await temporaryFolder(), 'merged');
  await expect(mergeWith({ model: broken, output })).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringMatching(/model\.safetensors: (vision_model|query_tokens|qformer|language_)/),
  });
  await expect(readModelDirectory(output)).rejects.toMatchObject({ name: 'InputError' });
});

test('an adapter that is cut short is refused by name', async () => {
  const broken = path.join(await temporaryFolder(), 'adapter');
  await cp(adapter, broken, { recursive: true });
  await truncate(path.join(broken, 'adapter_model.safetensors'), 2000);
  await expect(mergeWith({ adapter: broken })).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringContaining('adapter_model.safetensors'),
  });
});
