/** Adapters that PEFT wrote, of layers that a finetune of ours never adapts, merged and checked. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readJson } from '../../../../src/core/read-json.ts';
import { seededRandom } from '../../../../src/core/seeded-random.ts';
import { writeJsonLines } from '../../../../src/core/write-file.ts';
import { familyOf, modelConfigSchema } from '../../../../src/model/families/index.ts';
import { type LoraPair, readAdapter, writeAdapter } from '../../../../src/model/files/adapter.ts';
import { readModelDirectory, writeModelDirectory } from '../../../../src/model/files/model-directory.ts';
import { initialTensor } from '../../../../src/model/initialize.ts';
import { sizeOf } from '../../../../src/model/ops/value.ts';
import { merge } from '../../../../src/trainer/jobs/merge/merge.ts';
import { mergedWeight } from '../../../../src/trainer/jobs/merge/merged-tensors.ts';
import { maximumDifference, recordingReporter } from '../../../helpers/jobs.ts';
import { writeTinyModel } from '../../../helpers/tiny-model.ts';

const fixtures = path.join(import.meta.dirname, '../../../fixtures');
const cases = path.join(fixtures, 'parity');
let folder: string;
let samples: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'foreign-adapters-'));
  samples = path.join(folder, 'samples.jsonl');
  const image = path.join(fixtures, 'images/gray.jpg');
  const sample = { source: 'aokvqa', prompt: 'What is red?', image };
  await writeJsonLines(samples, [
    { ...sample, id: '0', answer: 'The answer is (A) red.' },
    { ...sample, id: '1', answer: 'a dog' },
  ]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The parity check of a merge, and the largest deviation of a merged weight from `W + scaling * B A`. */
async function mergedDifferences(model: string, adapter: string): Promise<{ logits: number; weights: number }> {
  const output = path.join(folder, `${path.basename(model)}-${path.basename(adapter)}-merged`);
  const parity = { samples, count: 2, tolerance: 1e-3 };
  const { metrics } = await merge({ model, adapter, output, parity }, recordingReporter());
  const [base, merged] = [await readModelDirectory(model), await readModelDirectory(output)];
  const { tensors } = await readAdapter(adapter, familyOf(base.config).publishedName);
  let weights = 0;
  for (const name of base.names()) {
    const before = await base.read(name);
    const pair = tensors.get(name.replace(/\.weight$/, ''));
    const wanted = pair ? mergedWeight(before, pair) : before.data;
    weights = Math.max(weights, maximumDifference((await merged.read(name)).data, wanted));
  }
  await Promise.all([base.close(), merged.close()]);
  return { logits: metrics?.maximumDifference ?? Number.NaN, weights };
}

test("parity/merge-vision-adapter-crash: LLaVA's plain q_proj and k_proj, which CLIP has too", async () => {
  const model = path.join(folder, 'llava');
  await cp(path.join(cases, 'merge-vision-adapter-crash/model'), model, { recursive: true });
  const config = await readJson(path.join(model, 'config.json'), modelConfigSchema);
  const tensors = [...familyOf(config).expectedTensors()].map(([name, shape]) => ({
    name,
    shape,
    data: initialTensor(name, shape, 1, 2),
  }));
  await writeModelDirectory(model, { config, tensors });
  const found = await mergedDifferences(model, path.join(cases, 'merge-vision-adapter-crash/adapter'));
  expect(found.logits).toBeGreaterThan(0);
  expect(found.logits).toBeLessThan(1e-5);
  expect(found.weights).toBe(0);
});

describe.each(['llava', 'minigpt4'] as const)('an adapter on every linear layer of %s', (family) => {
  test('merges: vision side, Q-Former, projection, language model and head', async () => {
    const model = path.join(folder, `all-${family}`);
    await writeTinyModel(model, { family });
    const base = await readModelDirectory(model);
    const { moduleName } = familyOf(base.config);
    const isLinear = (name: string) => name.endsWith('.weight') && !/embed|norm/i.test(name);
    const adapted = [...base.shapes].filter(([name, shape]) => shape.length === 2 && isLinear(name));
    await base.close();
    const random = seededRandom(family);
    const factor = (shape: number[]) => ({
      shape,
      data: Float32Array.from({ length: sizeOf(shape) }, () => (random.uniform() - 0.5) * 0.4),
    });
    const pairs = adapted.map(([name, [outputs, inputs]]): [string, Pick<LoraPair, 'A' | 'B'>] => [
      name.replace(/\.weight$/, ''),
      { A: factor([2, inputs as number]), B: factor([outputs as number, 2]) },
    ]);
    const adapter = path.join(folder, `all-${family}-adapter`);
    await writeAdapter(adapter, {
      config: { r: 2, lora_alpha: 3, target_modules: 'all-linear' },
      tensors: new Map(pairs),
      moduleName,
    });
    const found = await mergedDifferences(model, adapter);
    expect(pairs.length).toBeGreaterThan(20);
    expect(found.logits).toBeGreaterThan(0);
    expect(found.logits).toBeLessThan(1e-4);
    expect(found.weights).toBe(0);
  });
});

test.each(['pissa', 'olora'])(
  'parity/pissa-olora-silent: %s is refused, as it changed the base weights',
  async (init) => {
    const model = path.join(folder, 'minigpt4');
    await writeTinyModel(model);
    const adapter = path.join(cases, `pissa-olora-silent/adapter-${init}`);
    await expect(mergedDifferences(model, adapter)).rejects.toMatchObject({
      name: 'InputError',
      field: 'init_lora_weights',
      problem: `'${init}' changes the base model's weights, which the adapter's file does not hold`,
    });
  },
);
