/** Slots of a key-value cache, with a tiny model of random weights. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { greedyToken } from '../../../src/model/decoding/sample-token.ts';
import { type SlotDecoder, traceSlotDecoder } from '../../../src/model/decoding/slot-decoder.ts';
import type { SlotPrompt } from '../../../src/model/decoding/slot-prompts.ts';
import { readModelDirectory } from '../../../src/model/files/model-directory.ts';
import { Program } from '../../../src/model/ops/program.ts';
import { frozenWeights, joinedName, loadWeights } from '../../../src/trainer/jobs/frozen-weights.ts';
import { writeTinyModel } from '../../helpers/tiny-model.ts';

const SLOTS = 8;
const CAPACITY = 200;
const NEW_TOKENS = 4;

describe('slots', () => {
  let folder: string;
  let program: Program;
  let decoder: SlotDecoder;
  let vocabulary: number;
  let hidden: number;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'slots-'));
    await writeTinyModel(folder, { family: 'llava' });
    const model = await readModelDirectory(folder);
    ({ vocab_size: vocabulary, hidden_size: hidden } = model.config.text_config);
    program = new Program();
    const weights = frozenWeights(program, model, { use: 'forward' });
    decoder = traceSlotDecoder(program, weights, model.config, {
      slots: SLOTS,
      capacity: CAPACITY,
      joined: (names) => weights(joinedName(names)),
    });
    program.load();
    await loadWeights(program, model);
    await model.close();
    decoder.clear();
  });
  afterAll(async () => {
    program.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  const random = seededRandom('slots');
  /** A prompt of so many tokens, with an image where it is long enough. */
  const promptOf = (tokens: number): SlotPrompt => ({
    tokenIds: Array.from({ length: tokens }, () => random.integer(vocabulary)),
    images:
      tokens < 30
        ? []
        : [{ start: 12, embeddings: Float32Array.from({ length: 16 * hidden }, () => random.uniform() - 0.5) }],
    adapter: 0,
  });

  /** The logits behind a prompt, and behind each of the tokens that are written. */
  const written = (slot: number, logits: Float32Array, prompt: SlotPrompt): Float32Array[] => {
    const all = [logits];
    for (let count = 0; count < NEW_TOKENS; count++) {
      const token = greedyToken(all.at(-1) as Float32Array);
      const steps = Array.from({ length: SLOTS }, (_, one) =>
        one === slot ? { token, position: prompt.tokenIds.length + count, adapter: 0 } : undefined,
      );
      const rows = decoder.step(steps);
      all.push(rows.slice(slot * vocabulary, (slot + 1) * vocabulary));
    }
    return all;
  };

  // As many as are read one by one, as fill both sizes of groups up or not, and lengths that need one chunk or several.
  test.each([[[5, 20]], [[40, 3, 17]], [[33, 150, 1, 64]], [[16, 70, 31, 32, 128, 129, 2, 65]]])(
    'holds the same after prompts of %j tokens were read together as one by one',
    (lengths) => {
      const prompts = lengths.map(promptOf);
      decoder.clear();
      const together = decoder.read(prompts.map((prompt, slot) => ({ slot, prompt })));
      const found = prompts.map((prompt, slot) => written(slot, together[slot] as Float32Array, prompt));
      decoder.clear();
      for (const [slot, prompt] of prompts.entries()) {
        const [alone] = decoder.read([{ slot, prompt }]) as [Float32Array];
        const expected = written(slot, alone, prompt);
        for (const [step, logits] of expected.entries()) {
          const own = found[slot]?.[step] as Float32Array;
          const difference = Math.max(...logits.map((value, id) => Math.abs(value - (own[id] as number))));
          expect(difference, `prompt ${slot}, token ${step}`).toBeLessThan(1e-5);
        }
      }
    },
  );

  test('leaves the other slots as they are', () => {
    const prompts = [40, 50, 30, 20].map(promptOf);
    decoder.clear();
    const [first] = decoder.read([{ slot: 0, prompt: prompts[0] as SlotPrompt }]) as [Float32Array];
    const token = greedyToken(first);
    const step = [{ token, position: 40, adapter: 0 }];
    const expected = decoder.step(step);
    decoder.read(prompts.slice(1).map((prompt, index) => ({ slot: index + 2, prompt })));
    expect(decoder.step(step)).toEqual(expected);
  });

  test('refuses a prompt that does not fit', () => {
    expect(() => decoder.read([{ slot: 0, prompt: promptOf(CAPACITY + 1) }])).toThrow(RangeError);
    expect(() => decoder.read([{ slot: 0, prompt: promptOf(0) }])).toThrow(RangeError);
  });
});
