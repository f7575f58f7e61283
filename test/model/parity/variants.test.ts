/**
 * What configs, files and batches may differ in, against transformers: `test/fixtures/make-variants-fixture.py`
 * recorded what it computes.
 */

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { familyOf, imageEmbeddings } from '../../../src/model/families/index.ts';
import { headSize } from '../../../src/model/files/llama.ts';
import { additiveMask } from '../../../src/model/layers/attention.ts';
import { rotaryFrequencies, rotaryTables } from '../../../src/model/layers/rotary-embedding.ts';
import { multimodal } from '../../../src/model/multimodal.ts';
import type { Feed } from '../../../src/model/ops/eager-ops.ts';
import { Tape } from '../../../src/model/ops/tape.ts';
import { FIXTURES, type Fixture, openFixture, readFeed, relativeDifference, run, weightsAmong } from './compare.ts';

const IMAGE_TOKEN = 3;

/** Tokens of each sequence see themselves and the tokens before them that are no padding. */
function visibleTokens(attended: Float32Array, batch: number, tokens: number): Uint8Array {
  const visible = new Uint8Array(batch * tokens * tokens);
  for (let row = 0; row < batch * tokens; row++) {
    const [sequence, place] = [Math.floor(row / tokens), row % tokens];
    for (let other = 0; other <= place; other++) {
      visible[row * tokens + other] = other === place ? 1 : (attended[sequence * tokens + other] as number);
    }
  }
  return visible;
}

async function inputsOf({ model, expected, imageTokens }: Fixture, layout: string) {
  const ids = await readFeed(expected, `${layout}.input_ids`);
  const [batch, tokens] = ids.shape as [number, number];
  const attended = (await expected.read(`${layout}.attention_mask`)) as Float32Array;
  const text = model.config.text_config;
  const size = headSize(text);
  const positions = Array.from({ length: batch * tokens }, (_, row) => row % tokens);
  const { cosine, sine } = rotaryTables(positions, rotaryFrequencies(size, text.rope_theta, text.rope_scaling));
  const rows = batch * tokens;
  const isImage = Uint8Array.from(ids.data, (id) => Number(id === IMAGE_TOKEN));
  let seen = 0;
  const imageRows = Int32Array.from(isImage, (flag) => (flag ? seen++ : 0));
  const pixels = await readFeed(expected, `${layout}.pixel_values`);
  expect(seen).toBe((pixels.shape[0] as number) * imageTokens);
  const feeds: Record<string, Feed> = {
    tokenIds: { data: Int32Array.from(ids.data), shape: [rows] },
    isImage: { data: isImage, shape: [rows, 1] },
    imageRows: { data: imageRows, shape: [rows] },
    cosine: { data: cosine, shape: [rows, size / 2] },
    sine: { data: sine, shape: [rows, size / 2] },
    mask: { data: additiveMask(visibleTokens(attended, batch, tokens)), shape: [rows, tokens] },
    outputs: { data: Int32Array.from({ length: rows }, (_, row) => row), shape: [rows] },
    pixels,
  };
  return { batch, tokens, attended, feeds };
}

describe.each([
  { name: 'one key-value head, llama3 positions, tied embeddings, bfloat16', folder: 'llama3-tied-bf16' },
  { name: 'wide heads, linear positions, float16 in shards', folder: 'linear-sharded-f16' },
  { name: 'LLaVA with class token, last layer, GELU, no bias, tied embeddings', folder: 'llava-full-tied' },
])('$name', ({ folder }) => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture(`variants/${folder}`);
  });
  afterAll(() => fixture.close());

  test.each([
    { layout: 'right', what: 'padding on the right' },
    { layout: 'left', what: 'padding on the left' },
    { layout: 'many', what: 'two images, one and none in the sequences of a batch' },
  ])('$what: logits equal those of transformers', async ({ layout }) => {
    const { config } = fixture.model;
    const { batch, tokens, attended, feeds } = await inputsOf(fixture, layout);
    const { logits } = run(
      'eager',
      (ops, inputs) => {
        const tape = new Tape(ops);
        const weights = weightsAmong(inputs);
        const all = inputs as Record<string, never>;
        const images = imageEmbeddings(familyOf(config), tape, weights, inputs.pixels as never);
        const value = multimodal(tape, weights, config, {
          batch,
          ...(all as { tokenIds: never; isImage: never; imageRows: never }),
          images,
          tables: all as { cosine: never; sine: never; mask: never },
          outputs: { perSequence: tokens, rows: all.outputs as never, tableRows: all.outputs as never },
        }).value;
        return { logits: value };
      },
      { ...fixture.weights, ...feeds },
    );
    const wanted = (await fixture.expected.read(`${layout}.logits`)) as Float32Array;
    // Nobody reads what a model says of padding.
    const vocabulary = config.text_config.vocab_size;
    const read = (values: Float32Array) => values.filter((_, index) => attended[Math.floor(index / vocabulary)] === 1);
    expect(relativeDifference(read(logits as Float32Array), read(wanted))).toBeLessThan(1e-4);
  });
});

test('the float16 fixture is in shards, with an index', async () => {
  const files = await readdir(path.join(FIXTURES, 'variants/linear-sharded-f16'));
  expect(files).toContain('model.safetensors.index.json');
  expect(files.filter((name) => /^model-\d+-of-\d+\.safetensors$/.test(name)).length).toBeGreaterThan(2);
});
