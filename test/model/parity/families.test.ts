/**
 * Each family against transformers and PEFT: `make-blip2-fixture.py` and `make-llava-fixture.py` in
 * `test/fixtures` recorded what they compute.
 */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { familyOf, imageEmbeddings } from '../../../src/model/families/index.ts';
import { blip2ConfigSchema } from '../../../src/model/families/minigpt4/config.ts';
import { visionEncoder } from '../../../src/model/families/minigpt4/vision-encoder.ts';
import { type Adapter, readAdapter } from '../../../src/model/files/adapter.ts';
import type { Adapters } from '../../../src/model/llama.ts';
import { multimodal } from '../../../src/model/multimodal.ts';
import { dataTypeOf, type Feed, runEagerly } from '../../../src/model/ops/eager-ops.ts';
import type { Ops } from '../../../src/model/ops/ops.ts';
import { type InputSpecification, Program } from '../../../src/model/ops/program.ts';
import { frozen, Tape, trained, type Variable } from '../../../src/model/ops/tape.ts';
import type { Value } from '../../../src/model/ops/value.ts';
import { type Batch, collate } from '../../../src/trainer/jobs/batch.ts';
import { batchLoss, causalTables } from '../../../src/trainer/jobs/finetune/loss.ts';
import { mergedWeight } from '../../../src/trainer/jobs/merge/merged-tensors.ts';
import type { Sequence } from '../../../src/trainer/jobs/sequence.ts';
import { FIXTURES, type Fixture, openFixture, readFeed, relativeDifference, run, weightsAmong } from './compare.ts';

const TOKENS = 15;
/** Length of the second sequence; behind it is padding. */
const SECOND = 10;

describe.each([
  { name: 'MiniGPT-4', folder: 'tiny-blip2', seen: 'qformer' },
  { name: 'LLaVA-1.5', folder: 'tiny-llava', seen: 'vision' },
])('$name', ({ folder, seen }) => {
  let fixture: Fixture;
  let adapter: Adapter;
  let factors: Record<string, Feed>;
  beforeAll(async () => {
    fixture = await openFixture(folder);
    adapter = await readAdapter(path.join(FIXTURES, `${folder}-adapter`), familyOf(fixture.model.config).publishedName);
    factors = Object.fromEntries(
      [...adapter.tensors].flatMap(([module, { A, B }]) => [
        [`${module}.lora_A`, A],
        [`${module}.lora_B`, B],
      ]),
    );
  });
  afterAll(() => fixture.close());

  /** The two sequences of the fixture: right-padded, loss on the last four and three tokens. */
  async function fixtureBatch(): Promise<{ shape: { batch: number; tokens: number; targets: number }; batch: Batch }> {
    const ids = await fixture.expected.read('input_ids');
    const sequences: Sequence[] = [
      { tokenIds: [...ids.subarray(0, TOKENS)], imageStart: 4, answerStart: 11 },
      { tokenIds: [...ids.subarray(TOKENS, TOKENS + SECOND)], imageStart: 2, answerStart: 7 },
    ];
    const shape = { batch: 2, tokens: TOKENS, targets: 4 };
    return { shape, batch: collate(sequences, shape, fixture.imageTokens) };
  }

  async function inputFeeds(): Promise<Record<string, Feed>> {
    const { batch } = await fixtureBatch();
    const arrays = Object.entries(batch).map(([name, data]): [string, Feed] => [
      name,
      { data, shape: name === 'isImage' ? [data.length, 1] : [data.length] },
    ]);
    return { ...Object.fromEntries(arrays), pixels: await readFeed(fixture.expected, 'pixel_values') };
  }

  const everywhere = Int32Array.from({ length: 2 * TOKENS }, (_, row) => row);
  const withinSequence = everywhere.map((row) => row % TOKENS);
  /** What is to the right of the second sequence's end is padding, which nobody reads. */
  const compared = (values: Float32Array) =>
    values.subarray(0, (TOKENS + SECOND) * fixture.model.config.text_config.vocab_size);

  describe.each(['eager', 'traced'] as const)('%s', (how) => {
    test('vision side and projection give what transformers gives', async () => {
      const family = familyOf(fixture.model.config);
      const results = run(
        how,
        (ops, inputs) => {
          const tape = new Tape(ops);
          const weights = weightsAmong(inputs);
          return {
            [seen]: family.visionFeatures(tape, weights, inputs.pixels as never).value,
            projected: imageEmbeddings(family, tape, weights, inputs.pixels as never).value,
          };
        },
        { ...fixture.weights, pixels: await readFeed(fixture.expected, 'pixel_values') },
      );
      for (const name of [seen, 'projected']) {
        const found = results[name] as Float32Array;
        expect(relativeDifference(found, await fixture.expected.read(name)), name).toBeLessThan(1e-4);
      }
    });

    async function logits(adapters: (inputs: Record<string, never>) => Adapters, feeds: Record<string, Feed>) {
      const { config } = fixture.model;
      const { logits: found } = run(
        how,
        (ops, inputs) => {
          const tape = new Tape(ops);
          const weights = weightsAmong(inputs);
          const images = imageEmbeddings(familyOf(config), tape, weights, inputs.pixels as never);
          const all = inputs as Record<string, never>;
          const value = multimodal(
            tape,
            weights,
            config,
            {
              batch: 2,
              tokenIds: all.tokenIds as never,
              isImage: all.isImage as never,
              imageRows: all.imageRows as never,
              images,
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
        { ...feeds, ...(await inputFeeds()) },
      );
      return compared(found as Float32Array);
    }
    const none = () => () => undefined;

    test('logits of text and images equal those of transformers', async () => {
      const found = await logits(none, fixture.weights);
      expect(relativeDifference(found, compared(await fixture.expected.read('logits')))).toBeLessThan(1e-4);
    });

    test("logits with PEFT's adapter equal PEFT's, and so do those of our merge", async () => {
      const adapted = await logits(
        (inputs) => (module) =>
          inputs[`${module}.lora_A`] && {
            a: frozen(inputs[`${module}.lora_A`] as never),
            b: frozen(inputs[`${module}.lora_B`] as never),
            scaling: adapter.tensors.get(module)?.scaling as number,
          },
        { ...fixture.weights, ...factors },
      );
      const wanted = compared(await fixture.expected.read('adapter.logits'));
      expect(relativeDifference(adapted, wanted)).toBeLessThan(1e-4);
      expect(relativeDifference(adapted, await logits(none, fixture.weights))).toBeGreaterThan(0.1);

      const mergedFeeds = { ...fixture.weights };
      for (const [module, pair] of adapter.tensors) {
        const weight = fixture.weights[`${module}.weight`] as { shape: number[]; data: Float32Array };
        mergedFeeds[`${module}.weight`] = { shape: weight.shape, data: mergedWeight(weight, pair) };
      }
      const merged = await logits(none, mergedFeeds);
      expect(relativeDifference(merged, compared(await fixture.expected.read('merged.logits')))).toBeLessThan(1e-4);
    });

    test("loss and the gradient of every LoRA tensor equal PyTorch's", async () => {
      const { config } = fixture.model;
      const { shape } = await fixtureBatch();
      const results = run(
        how,
        (ops, inputs) => {
          const tape = new Tape(ops);
          const weights = weightsAmong(inputs);
          const variables = new Map<string, Variable>(
            Object.keys(factors).map((name) => [name, trained(inputs[name] as never)]),
          );
          const adapters: Adapters = (module) => {
            const a = variables.get(`${module}.lora_A`);
            return (
              a && {
                a,
                b: variables.get(`${module}.lora_B`) as Variable,
                scaling: adapter.tensors.get(module)?.scaling as number,
              }
            );
          };
          const images = imageEmbeddings(familyOf(config), tape, weights, inputs.pixels as never);
          const loss = batchLoss(tape, weights, config, shape, inputs as never, images, adapters);
          const gradients = tape.gradients(loss, [...variables.values()]);
          return {
            loss: loss.value,
            ...Object.fromEntries([...variables.keys()].map((name, index) => [name, gradients[index] as never])),
          };
        },
        { ...fixture.weights, ...factors, ...(await inputFeeds()) },
      );
      const { expected } = fixture;
      expect(relativeDifference(results.loss as Float32Array, await expected.read('adapter.loss'))).toBeLessThan(1e-5);
      expect(Object.keys(factors)).toHaveLength(
        [...expected.tensors.keys()].filter((name) => name.startsWith('adapter.gradient.')).length,
      );
      for (const name of Object.keys(factors)) {
        const [module, factor] = name.split(/\.(?=lora_[AB]$)/) as [string, string];
        const there = `base_model.model.${familyOf(config).moduleName(module)}.${factor}.weight`;
        const wanted = await expected.read(`adapter.gradient.${there}`);
        expect(relativeDifference(results[name] as Float32Array, wanted), name).toBeLessThan(1e-3);
      }
    });
  });

  test('gradients of every weight agree with finite differences along their own direction', async () => {
    const { config } = fixture.model;
    const { shape } = await fixtureBatch();
    const feeds = { ...fixture.weights, ...(await inputFeeds()) };
    const trace = (ops: Ops, inputs: Record<string, Value>) => {
      const tape = new Tape(ops);
      const variables = new Map(
        [...familyOf(config).expectedTensors().keys()].map((name) => [name, trained(inputs[name] as Value)]),
      );
      const weights = (name: string) => variables.get(name) as Variable;
      const images = imageEmbeddings(familyOf(config), tape, weights, inputs.pixels as Value);
      return { tape, variables, loss: batchLoss(tape, weights, config, shape, inputs as never, images) };
    };
    const used = Object.keys(fixture.weights).filter((name) => !isUnused(name));
    const gradients = runEagerly((ops, inputs) => {
      const { tape, variables, loss } = trace(ops, inputs);
      const found = tape.gradients(
        loss,
        used.map((name) => variables.get(name) as Variable),
      );
      return Object.fromEntries(used.map((name, index) => [name, found[index] as Value]));
    }, feeds);

    const program = new Program();
    const specifications = Object.entries(feeds).map(([name, { data, shape: size }]): [string, InputSpecification] => [
      name,
      { shape: size, dataType: dataTypeOf(data) },
    ]);
    program.define('loss', Object.fromEntries(specifications), (ops, inputs) => ({
      loss: trace(ops, inputs).loss.value,
    }));
    program.load();
    const arrays = Object.fromEntries(Object.entries(feeds).map(([name, { data }]) => [name, data]));
    for (const name of used) {
      const gradient = gradients[name] as Float32Array;
      const length = Math.hypot(...gradient);
      // Along its own gradient the loss must rise by the gradient's length.
      const step = 1e-2 / Math.max(1, length);
      const moved = (sign: number) => {
        const data = (arrays[name] as Float32Array).map(
          (value, index) => value + (sign * step * (gradient[index] as number)) / (length || 1),
        );
        return program.run('loss', { ...arrays, [name]: data }).loss?.[0] as number;
      };
      const slope = (moved(1) - moved(-1)) / (2 * step);
      expect(Math.abs(slope - length), `${name}: slope ${slope}, gradient ${length}`).toBeLessThan(
        0.02 * length + 2e-3,
      );
    }
    program.dispose();
  });

  /** LLaVA takes the states before CLIP's last layer, so neither that nor the norm behind it is ever computed. */
  function isUnused(name: string): boolean {
    return folder === 'tiny-llava' && /^vision_tower\.vision_model\.(encoder\.layers\.2|post_layernorm)\./.test(name);
  }
});

test("MiniGPT-4's vision encoder gives what Blip2VisionModel gives", async () => {
  const { model, expected, weights, close } = await openFixture('tiny-blip2');
  const config = blip2ConfigSchema.parse(model.config);
  const pixels = await readFeed(expected, 'pixel_values');
  const { vision } = run(
    'eager',
    (ops, inputs) => ({
      vision: visionEncoder(new Tape(ops), weightsAmong(inputs), config, inputs.pixels as never).value,
    }),
    { ...weights, pixels },
  );
  expect(relativeDifference(vision as Float32Array, await expected.read('vision'))).toBeLessThan(1e-4);
  await close();
});
