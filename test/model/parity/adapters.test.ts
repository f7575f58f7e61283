/**
 * An adapter of PEFT that uses all that is supported, against PEFT: `test/fixtures/make-patterns-fixture.py` recorded
 * its logits. What we write is tried in PEFT by hand: see `docs/parity.md`.
 */
import path from 'node:path';
import { expect, test } from 'vitest';
import { familyOf, imageEmbeddings } from '../../../src/model/families/index.ts';
import { readAdapter } from '../../../src/model/files/adapter.ts';
import { openSafetensors } from '../../../src/model/files/safetensors.ts';
import { multimodal } from '../../../src/model/multimodal.ts';
import { Tape } from '../../../src/model/ops/tape.ts';
import { collate } from '../../../src/trainer/jobs/batch.ts';
import { causalTables } from '../../../src/trainer/jobs/finetune/loss.ts';
import { mergedWeight } from '../../../src/trainer/jobs/merge/merged-tensors.ts';
import { FIXTURES, openFixture, readFeed, relativeDifference, run, weightsAmong } from './compare.ts';

const folder = path.join(FIXTURES, 'patterned-adapter');
const TOKENS = 15;

test('rank-stabilized, of many ranks and alphas, on CLIP, projector, layers and head: names and scalings', async () => {
  const { model, close } = await openFixture('tiny-llava');
  const { tensors } = await readAdapter(folder, familyOf(model.config).publishedName);
  await close();
  const found = Object.fromEntries([...tensors].map(([module, { A, scaling }]) => [module, [A.shape[0], scaling]]));
  expect(found).toMatchObject({
    'language_model.model.layers.0.self_attn.q_proj': [4, 8 / Math.sqrt(4)],
    'language_model.model.layers.1.self_attn.q_proj': [2, 8 / Math.sqrt(2)],
    'language_model.model.layers.0.mlp.down_proj': [6, 5 / Math.sqrt(6)],
    'language_model.model.layers.1.mlp.down_proj': [6, 8 / Math.sqrt(6)],
    'language_model.lm_head': [4, 3 / Math.sqrt(4)],
    'multi_modal_projector.linear_1': [4, 8 / Math.sqrt(4)],
    'vision_tower.vision_model.encoder.layers.0.mlp.fc1': [4, 8 / Math.sqrt(4)],
  });
});

test("merged, it gives the logits of PEFT's `merge_and_unload`", async () => {
  const { model, expected, weights, imageTokens, close } = await openFixture('tiny-llava');
  const { config } = model;
  const { tensors } = await readAdapter(folder, familyOf(config).publishedName);
  const recorded = await openSafetensors(path.join(folder, 'expected.safetensors'));
  const merged = { ...weights };
  for (const [module, pair] of tensors) {
    const weight = weights[`${module}.weight`] as { shape: number[]; data: Float32Array };
    merged[`${module}.weight`] = { shape: weight.shape, data: mergedWeight(weight, pair) };
  }
  const ids = [...(await expected.read('input_ids'))];
  const batch = collate(
    [
      { tokenIds: ids.slice(0, TOKENS), imageStart: 4, answerStart: 11 },
      { tokenIds: ids.slice(TOKENS, 25), imageStart: 2, answerStart: 7 },
    ],
    { batch: 2, tokens: TOKENS, targets: 4 },
    imageTokens,
  );
  const everywhere = Int32Array.from({ length: 2 * TOKENS }, (_, row) => row);
  const { logits } = run(
    'eager',
    (ops, inputs) => {
      const tape = new Tape(ops);
      const all = inputs as Record<string, never>;
      const images = imageEmbeddings(familyOf(config), tape, weightsAmong(inputs), inputs.pixels as never);
      const value = multimodal(tape, weightsAmong(inputs), config, {
        batch: 2,
        ...(all as { tokenIds: never; isImage: never; imageRows: never }),
        images,
        tables: causalTables(ops, config, TOKENS),
        outputs: {
          perSequence: TOKENS,
          rows: ops.constant(everywhere, [2 * TOKENS]),
          tableRows: ops.constant(
            everywhere.map((row) => row % TOKENS),
            [2 * TOKENS],
          ),
        },
      }).value;
      return { logits: value };
    },
    {
      ...merged,
      tokenIds: { data: batch.tokenIds, shape: [2 * TOKENS] },
      isImage: { data: batch.isImage, shape: [2 * TOKENS, 1] },
      imageRows: { data: batch.imageRows, shape: [2 * TOKENS] },
      pixels: await readFeed(expected, 'pixel_values'),
    },
  );
  const read = (values: Float32Array) => values.subarray(0, 25 * config.text_config.vocab_size);
  for (const name of ['logits', 'merged.logits']) {
    const wanted = read(await recorded.read(name));
    expect(relativeDifference(read(logits as Float32Array), wanted), name).toBeLessThan(1e-4);
  }
  await Promise.all([recorded.close(), close()]);
});
