/** Decoding against transformers: `test/fixtures/make-decoding-fixture.py` recorded what `generate` gives. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GeneratedText, type GenerationRequest, traceGenerator } from '../../../src/model/decoding/generate.ts';
import type { DecodingSettings, Strategy } from '../../../src/model/decoding/settings.ts';
import { type ModelDirectory, readModelDirectory } from '../../../src/model/files/model-directory.ts';
import { openSafetensors } from '../../../src/model/files/safetensors.ts';
import { gatherRows, selectRows } from '../../../src/model/layers/embedding.ts';
import { embedTokens, llama } from '../../../src/model/llama.ts';
import { Program } from '../../../src/model/ops/program.ts';
import { frozen, Tape } from '../../../src/model/ops/tape.ts';
import { nativeBinding } from '../../../src/model/ops/tensorflow.ts';
import { causalTables } from '../../../src/trainer/jobs/finetune/loss.ts';
import { frozenWeights, loadWeights } from '../../../src/trainer/jobs/frozen-weights.ts';

interface Fixture {
  prompts: { tokenIds: number[]; imageStart: number; image: number }[];
  generated: {
    endTokens: number[];
    settings: {
      max_new_tokens: number;
      num_beams?: number;
      length_penalty?: number;
      early_stopping?: boolean | 'never';
    };
    results: { tokenIds: number[]; score?: number }[];
  }[];
}

const FIXTURES = path.join(import.meta.dirname, '../../fixtures');
const readFixture = (name: string): Fixture => JSON.parse(readFileSync(path.join(FIXTURES, name), 'utf8'));
const fixture = readFixture('decoding.json');
/** The same prompts with the second family. */
const llavaFixture = readFixture('decoding-llava.json');
const requests: GenerationRequest[] = fixture.prompts.map((prompt, index) => ({ id: `${index}`, ...prompt }));
const IMAGE_TOKENS = 4;
const HIDDEN = 32;
/** The random model has no tokenizer: each token is three characters. */
const tokenizer = { decode: (ids: readonly number[]) => ids.map((id) => `<${String.fromCharCode(48 + id)}>`).join('') };

interface VisionModel {
  model: ModelDirectory;
  /** float32 `[images, IMAGE_TOKENS, HIDDEN]` */
  projected: Float32Array;
}
let minigpt4: VisionModel;
let llava: VisionModel;
let model: ModelDirectory;

async function readVisionModel(directory: string): Promise<VisionModel> {
  const expected = await openSafetensors(path.join(FIXTURES, directory, 'expected.safetensors'));
  const projected = await expected.read('projected');
  await expected.close();
  return { model: await readModelDirectory(path.join(FIXTURES, directory)), projected };
}

beforeAll(async () => {
  minigpt4 = await readVisionModel('tiny-blip2');
  llava = await readVisionModel('tiny-llava');
  model = minigpt4.model;
});
afterAll(() => Promise.all([minigpt4.model.close(), llava.model.close()]));

/** The embeddings of the images of these prompts, padded to the batch. */
function imagesOf(prompts: Fixture['prompts'], batch: number, projected = minigpt4.projected): Float32Array {
  const images = new Float32Array(batch * IMAGE_TOKENS * HIDDEN);
  prompts.forEach(({ image }, index) => {
    const size = IMAGE_TOKENS * HIDDEN;
    images.set(projected.subarray(image * size, (image + 1) * size), index * size);
  });
  return images;
}

async function withGenerator<T>(
  settings: DecodingSettings,
  batch: number,
  use: (generate: (from: number, to: number) => GeneratedText[]) => T,
  { model, projected } = minigpt4,
): Promise<T> {
  const program = new Program();
  try {
    const generator = traceGenerator(
      program,
      frozenWeights(program, model, { use: 'forward' }),
      model.config,
      tokenizer,
      settings,
      {
        batch,
        promptLengths: requests.map(({ tokenIds }) => tokenIds.length),
        imageTokens: IMAGE_TOKENS,
      },
    );
    program.load();
    await loadWeights(program, model);
    return use((from, to) =>
      generator.generate(requests.slice(from, to), imagesOf(fixture.prompts.slice(from, to), batch, projected)),
    );
  } finally {
    program.dispose();
  }
}

function strategyOf({ num_beams, length_penalty, early_stopping }: Fixture['generated'][0]['settings']): Strategy {
  if (num_beams === undefined) return { kind: 'greedy' };
  return {
    kind: 'beam',
    beams: num_beams,
    lengthPenalty: length_penalty ?? 1,
    earlyStopping: early_stopping ?? false,
  };
}

test.each(llavaFixture.generated)('LLaVA: $settings', async ({ endTokens, settings, results }) => {
  const decoding = { strategy: strategyOf(settings), maximumNewTokens: settings.max_new_tokens, endTokens };
  expect(llavaFixture.prompts).toEqual(fixture.prompts);
  const found = await withGenerator(decoding, 8, (generate) => generate(0, 8), llava);
  expect(found.map(({ tokenIds }) => tokenIds)).toEqual(results.map(({ tokenIds }) => tokenIds));
});

const greedy = fixture.generated[0] as Fixture['generated'][0];
const plainGreedy: DecodingSettings = { strategy: { kind: 'greedy' }, maximumNewTokens: 24, endTokens: [1] };

describe.each(fixture.generated)('$settings', ({ endTokens, settings, results }) => {
  const decoding = { strategy: strategyOf(settings), maximumNewTokens: settings.max_new_tokens, endTokens };

  // With few prompts a batch the last batch is not full, and prompts are padded less.
  const batches = strategyOf(settings).kind === 'greedy' || settings.early_stopping ? [8, 2] : [8];
  test.each(batches)('gives the tokens of transformers, in batches of %i', async (batch) => {
    const found = await withGenerator(decoding, batch, (generate) =>
      requests.flatMap((_, index) => (index % batch === 0 ? generate(index, index + batch) : [])),
    );
    expect(found.map(({ tokenIds }) => tokenIds)).toEqual(results.map(({ tokenIds }) => tokenIds));
    for (const [index, { score }] of results.entries()) {
      if (score !== undefined) expect((found[index]?.score as number) / score).toBeCloseTo(1, 5);
    }
  });
});

test('the key-value cache changes nothing: a forward over the whole text has the same likeliest tokens', async () => {
  const { tokenIds, imageStart } = requests[0] as GenerationRequest;
  const written = greedy.results[0]?.tokenIds as number[];
  const whole = Int32Array.from([...tokenIds, ...written]);
  const tokens = whole.length;
  const places = Int32Array.from(written, (_, index) => tokenIds.length - 1 + index);
  const isImage = whole.map((_, place) => Number(place >= imageStart && place < imageStart + IMAGE_TOKENS));
  const program = new Program();
  const weights = frozenWeights(program, model, { use: 'forward' });
  const inputs = {
    tokenIds: { shape: [tokens], dataType: 'int32' },
    isImage: { shape: [tokens, 1], dataType: 'bool' },
    imageRows: { shape: [tokens], dataType: 'int32' },
    images: { shape: [IMAGE_TOKENS, HIDDEN], dataType: 'float32' },
  } as const;
  program.define('whole', inputs, (ops, values) => {
    const tape = new Tape(ops);
    const images = gatherRows(tape, frozen(values.images), values.imageRows);
    const rows = ops.constant(places, [places.length]);
    const logits = llama(tape, weights, model.config, {
      embeddings: selectRows(tape, values.isImage, images, embedTokens(tape, weights, values.tokenIds)),
      batch: 1,
      tables: causalTables(ops, model.config, tokens),
      outputs: { perSequence: places.length, rows, tableRows: rows },
    });
    return { tokens: ops.argMax(logits.value) };
  });
  program.load();
  try {
    await loadWeights(program, model);
    const found = program.run('whole', {
      tokenIds: whole,
      isImage: Uint8Array.from(isImage),
      imageRows: whole.map((_, place) => (isImage[place] ? place - imageStart : 0)),
      images: imagesOf(fixture.prompts.slice(0, 1), 1),
    });
    expect([...(found.tokens as Int32Array)]).toEqual(written);
  } finally {
    program.dispose();
  }
});

test('a stop string ends a text wherever it is among the tokens, and is no part of it', async () => {
  const whole = greedy.results.map(({ tokenIds }) => tokenizer.decode(tokenIds));
  // From the middle of the fifth token to the middle of the seventh of the first text.
  const stop = (whole[0] as string).slice(13, 19);
  const settings = { ...plainGreedy, stopStrings: [stop] };
  const found = await withGenerator(settings, 8, (generate) => generate(0, 5));
  expect(found[0]).toMatchObject({ text: (whole[0] as string).slice(0, 13), finish: 'stop' });
  expect(found[0]?.tokenIds).toEqual(greedy.results[0]?.tokenIds.slice(0, 7));
  for (const [index, { text, finish }] of found.slice(1).entries()) {
    expect({ text, finish }).toEqual({ text: whole[index + 1], finish: 'length' });
  }
});

test('an end token ends a text, and is no part of it', async () => {
  const tokens = greedy.results[1]?.tokenIds as number[];
  const settings = { ...plainGreedy, endTokens: [tokens[3] as number] };
  const [found] = await withGenerator(settings, 1, (generate) => generate(1, 2));
  const end = tokens.indexOf(tokens[3] as number);
  expect(found).toEqual({
    tokenIds: tokens.slice(0, end + 1),
    text: tokenizer.decode(tokens.slice(0, end)),
    finish: 'end',
  });
});

describe('sampling', () => {
  const sampled = (seed: number, temperature = 1, topP = 0.9, batch = 8) =>
    withGenerator({ ...plainGreedy, strategy: { kind: 'sample', temperature, topP, seed } }, batch, (generate) =>
      requests.flatMap((_, index) => (index % batch === 0 ? generate(index, index + batch) : [])),
    );

  test('repeats with a seed, whatever else is in the batch', async () => {
    const first = await sampled(1);
    expect(await sampled(1)).toEqual(first);
    expect(await sampled(1, 1, 0.9, 2)).toEqual(first);
    expect(await sampled(2)).not.toEqual(first);
  });

  test('with almost no temperature, or almost no probability to draw from, is greedy', async () => {
    const expected = greedy.results.map(({ tokenIds }) => tokenIds);
    for (const [temperature, topP] of [
      [1e-4, 1],
      [1, 1e-6],
    ]) {
      expect((await sampled(1, temperature, topP)).map(({ tokenIds }) => tokenIds)).toEqual(expected);
    }
  });
});

test('leaves no tensor behind', async () => {
  const counts = await withGenerator(plainGreedy, 8, (generate) =>
    [1, 2, 3].map(() => {
      generate(0, 5);
      return nativeBinding().getNumOfTensors();
    }),
  );
  expect(new Set(counts).size).toBe(1);
});

test.each([
  [{ maximumNewTokens: 0 }, 'maximumNewTokens must be a positive integer'],
  [{ stopStrings: [''] }, 'a stop string must not be empty'],
  [{ strategy: { kind: 'sample', temperature: 0, topP: 1, seed: 1 } }, 'temperature must be above 0'],
  [{ strategy: { kind: 'sample', temperature: 1, topP: 1.5, seed: 1 } }, 'topP must be above 0 and at most 1'],
  [{ strategy: { kind: 'beam', beams: 1, lengthPenalty: 1, earlyStopping: false } }, 'beams must be an integer'],
] as [Partial<DecodingSettings>, string][])('refuses %o', async (change, message) => {
  await expect(withGenerator({ ...plainGreedy, ...change }, 8, () => undefined)).rejects.toThrow(message);
});
