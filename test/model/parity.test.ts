/** The model against transformers and PEFT: `test/fixtures/make-blip2-fixture.py` recorded what they compute. */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Adapter, readAdapter } from '../../model/files/adapter.ts';
import { expectedTensors, type ModelDirectory, readModelDirectory } from '../../model/files/model-directory.ts';
import { openSafetensors, type SafetensorsFile } from '../../model/files/safetensors.ts';
import type { Adapters } from '../../model/llama.ts';
import { miniGpt4, pictureEmbeddings } from '../../model/minigpt4.ts';
import { type Computation, type Feed, runEagerly } from '../../model/ops/eager-ops.ts';
import { Program } from '../../model/ops/program.ts';
import { frozen, Tape, trained, type Variable } from '../../model/ops/tape.ts';
import type { DataType, TypedArray } from '../../model/ops/tensorflow.ts';
import { queryTransformer } from '../../model/query-transformer.ts';
import { visionEncoder } from '../../model/vision-encoder.ts';
import { type Batch, collate } from '../../training/batch.ts';
import { batchLoss, causalTables } from '../../training/loss.ts';
import { mergedWeight } from '../../training/merge.ts';
import type { Sequence } from '../../training/sequence.ts';

const FIXTURES = path.join(import.meta.dirname, '../fixtures');
const TOKENS = 15;
let model: ModelDirectory;
let adapter: Adapter;
let expected: SafetensorsFile;
const weightFeeds: Record<string, Feed> = {};

beforeAll(async () => {
  model = await readModelDirectory(path.join(FIXTURES, 'tiny-blip2'));
  adapter = await readAdapter(path.join(FIXTURES, 'tiny-blip2-adapter'));
  expected = await openSafetensors(path.join(FIXTURES, 'tiny-blip2/expected.safetensors'));
  for (const name of model.names()) weightFeeds[name] = await model.read(name);
});
afterAll(async () => {
  await Promise.all([model.close(), expected.close()]);
});

/** Runs a computation over weights and inputs, as single operations or as a traced graph. */
function run(
  how: 'eager' | 'traced',
  computation: Computation,
  feeds: Record<string, Feed>,
): Record<string, TypedArray> {
  if (how === 'eager') return runEagerly(computation, feeds);
  const types = (data: TypedArray): DataType =>
    data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'bool';
  const program = new Program();
  program.define(
    'f',
    Object.fromEntries(
      Object.entries(feeds).map(([name, { data, shape }]) => [name, { shape, dataType: types(data) }]),
    ),
    computation,
  );
  program.load();
  try {
    return program.run('f', Object.fromEntries(Object.entries(feeds).map(([name, { data }]) => [name, data])));
  } finally {
    program.dispose();
  }
}

/** Largest difference, over the largest expected value. */
function relativeDifference(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(found.length).toBe(wanted.length);
  let difference = 0;
  let scale = 0;
  for (let index = 0; index < wanted.length; index++) {
    difference = Math.max(difference, Math.abs((found[index] as number) - (wanted[index] as number)));
    scale = Math.max(scale, Math.abs(wanted[index] as number));
  }
  return difference / scale;
}

/** The two sequences of the fixture: right-padded, loss on the last four and three tokens. */
async function fixtureBatch(): Promise<{ shape: { batch: number; tokens: number; targets: number }; batch: Batch }> {
  const ids = await expected.read('input_ids');
  const sequences: Sequence[] = [
    { tokenIds: [...ids.subarray(0, 15)], pictureStart: 4, answerStart: 11 },
    { tokenIds: [...ids.subarray(15, 25)], pictureStart: 2, answerStart: 7 },
  ];
  const shape = { batch: 2, tokens: TOKENS, targets: 4 };
  return { shape, batch: collate(sequences, shape, model.config.num_query_tokens) };
}

async function batchFeeds(): Promise<Record<string, Feed>> {
  const { batch } = await fixtureBatch();
  return Object.fromEntries(
    Object.entries(batch).map(([name, data]) => [
      name,
      { data, shape: name === 'isPicture' ? [data.length, 1] : [data.length] },
    ]),
  );
}

async function pixelFeed(): Promise<Feed> {
  return { data: await expected.read('pixel_values'), shape: [2, 3, 28, 28] };
}

const everywhere = Int32Array.from({ length: 2 * TOKENS }, (_, row) => row);
const withinSequence = everywhere.map((row) => row % TOKENS);

describe.each(['eager', 'traced'] as const)('%s', (how) => {
  const fixed = (inputs: Record<string, { shape: readonly number[]; dataType: DataType }>) => (name: string) =>
    frozen(inputs[name] as never);

  test('vision encoder, Q-Former and projection give what transformers gives', async () => {
    const { config } = model;
    const results = run(
      how,
      (ops, inputs) => {
        const tape = new Tape(ops);
        const weights = fixed(inputs);
        const vision = visionEncoder(tape, weights, config, inputs.pixels as never);
        const queries = queryTransformer(tape, weights, config, vision, 2);
        const projected = pictureEmbeddings(tape, weights, config, inputs.pixels as never);
        return { vision: vision.value, qformer: queries.value, projected: projected.value };
      },
      { ...weightFeeds, pixels: await pixelFeed() },
    );
    for (const name of ['vision', 'qformer', 'projected']) {
      const found = results[name] as Float32Array;
      expect(relativeDifference(found, await expected.read(name)), name).toBeLessThan(1e-4);
    }
  });

  async function logits(
    adapters: (inputs: Record<string, never>) => Adapters | undefined,
    feeds: Record<string, Feed>,
  ) {
    const { config } = model;
    const { logits: found } = run(
      how,
      (ops, inputs) => {
        const tape = new Tape(ops);
        const weights = fixed(inputs);
        const pictures = pictureEmbeddings(tape, weights, config, inputs.pixels as never);
        const all = inputs as Record<string, never>;
        const value = miniGpt4(
          tape,
          weights,
          config,
          {
            batch: 2,
            tokenIds: all.tokenIds as never,
            isPicture: all.isPicture as never,
            pictureRows: all.pictureRows as never,
            pictures,
            tables: causalTables(ops, config, TOKENS),
            outputs: {
              perSequence: TOKENS,
              rows: ops.constant(everywhere, [2 * TOKENS]),
              tableRows: ops.constant(withinSequence, [2 * TOKENS]),
            },
          },
          adapters(all),
        ).value;
        return { logits: value };
      },
      { ...feeds, ...(await batchFeeds()), pixels: await pixelFeed() },
    );
    return found as Float32Array;
  }

  /** What is to the right of the second sequence's end is padding, which nobody reads. */
  const compared = (values: Float32Array) => values.subarray(0, (TOKENS + 10) * model.config.text_config.vocab_size);

  test('logits of text and pictures equal those of transformers', async () => {
    const found = await logits(() => undefined, weightFeeds);
    expect(relativeDifference(compared(found), compared(await expected.read('logits')))).toBeLessThan(1e-4);
  });

  test("logits with PEFT's adapter equal PEFT's, and so do those of our merge", async () => {
    const { lora_alpha: alpha, r: rank } = adapter.config;
    const factors: Record<string, Feed> = {};
    for (const [module, { A, B }] of adapter.tensors)
      Object.assign(factors, { [`${module}.A`]: A, [`${module}.B`]: B });
    const adapted = await logits(
      (inputs) => (module) =>
        inputs[`${module}.A`] && {
          a: frozen(inputs[`${module}.A`] as never),
          b: frozen(inputs[`${module}.B`] as never),
          scaling: alpha / rank,
        },
      { ...weightFeeds, ...factors },
    );
    expect(relativeDifference(compared(adapted), compared(await expected.read('adapter.logits')))).toBeLessThan(1e-4);

    const mergedFeeds = { ...weightFeeds };
    for (const [module, pair] of adapter.tensors) {
      const weight = weightFeeds[`${module}.weight`] as { shape: number[]; data: Float32Array };
      mergedFeeds[`${module}.weight`] = { shape: weight.shape, data: mergedWeight(weight, pair, rank, alpha) };
    }
    const merged = await logits(() => undefined, mergedFeeds);
    expect(relativeDifference(compared(merged), compared(await expected.read('merged.logits')))).toBeLessThan(1e-4);
  });

  test("loss and the gradient of every LoRA tensor equal PyTorch's", async () => {
    const { config } = model;
    const { lora_alpha: alpha, r: rank } = adapter.config;
    const factors: Record<string, Feed> = {};
    for (const [module, { A, B }] of adapter.tensors) {
      Object.assign(factors, { [`${module}.lora_A`]: A, [`${module}.lora_B`]: B });
    }
    const { shape } = await fixtureBatch();
    const results = run(
      how,
      (ops, inputs) => {
        const tape = new Tape(ops);
        const weights = fixed(inputs);
        const variables = new Map<string, Variable>(
          Object.keys(factors).map((name) => [name, trained(inputs[name] as never)]),
        );
        const adapters: Adapters = (module) => {
          const a = variables.get(`${module}.lora_A`);
          return a && { a, b: variables.get(`${module}.lora_B`) as Variable, scaling: alpha / rank };
        };
        const pictures = pictureEmbeddings(tape, weights, config, inputs.pixels as never);
        const loss = batchLoss(tape, weights, config, shape, inputs as never, pictures, adapters);
        const gradients = tape.gradients(loss, [...variables.values()]);
        return {
          loss: loss.value,
          ...Object.fromEntries([...variables.keys()].map((name, index) => [name, gradients[index] as never])),
        };
      },
      { ...weightFeeds, ...factors, ...(await batchFeeds()), pixels: await pixelFeed() },
    );
    expect(relativeDifference(results.loss as Float32Array, await expected.read('adapter.loss'))).toBeLessThan(1e-5);
    expect(Object.keys(factors).length).toBe(2 * 4 * config.text_config.num_hidden_layers);
    for (const name of Object.keys(factors)) {
      const wanted = await expected.read(`adapter.gradient.base_model.model.${name}.weight`);
      expect(relativeDifference(results[name] as Float32Array, wanted), name).toBeLessThan(1e-3);
    }
  });
});

test('gradients of every weight agree with finite differences along a random direction', async () => {
  const { config } = model;
  const { shape } = await fixtureBatch();
  const feeds = { ...(await batchFeeds()), pixels: await pixelFeed() };
  const lossOf: Computation = (ops, inputs) => {
    const tape = new Tape(ops);
    const variables = new Map(
      [...expectedTensors(config).keys()].map((name) => [name, trained(inputs[name] as never)]),
    );
    const weights = (name: string) => variables.get(name) as Variable;
    const pictures = pictureEmbeddings(tape, weights, config, inputs.pixels as never);
    const loss = batchLoss(tape, weights, config, shape, inputs as never, pictures);
    const gradients = tape.gradients(loss, [...variables.values()]);
    return {
      loss: loss.value,
      ...Object.fromEntries([...variables.keys()].map((name, index) => [name, gradients[index] as never])),
    };
  };
  const gradients = runEagerly(lossOf, { ...weightFeeds, ...feeds });
  for (const [name, weight] of Object.entries(weightFeeds)) {
    const gradient = gradients[name] as Float32Array;
    const length = Math.hypot(...gradient);
    // Along its own gradient the loss must rise by the gradient's length.
    const step = 1e-2 / Math.max(1, length);
    const moved = (sign: number) => {
      const data = (weight.data as Float32Array).map(
        (value, index) => value + (sign * step * (gradient[index] as number)) / (length || 1),
      );
      const { loss } = runEagerly(lossOf, { ...weightFeeds, ...feeds, [name]: { ...weight, data } });
      return loss?.[0] as number;
    };
    const slope = (moved(1) - moved(-1)) / (2 * step);
    expect(Math.abs(slope - length), `${name}: slope ${slope}, gradient ${length}`).toBeLessThan(0.02 * length + 2e-3);
  }
});
