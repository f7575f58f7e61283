/**
 * Every field of `config.json`, one changed at a time: the losses of `transformers`, or an error that names the field.
 * `test/fixtures/make-config-fields-fixture.py` recorded what `transformers` makes of each. Among them are the cases
 * `parity/rope-fields-ignored` and `parity/qkv-bias-false`.
 */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { InputError } from '../../../src/core/input-error.ts';
import { familyOf, imageEmbeddings } from '../../../src/model/families/index.ts';
import { withoutEffect as ofLlava } from '../../../src/model/families/llava/config.ts';
import { withoutEffect as ofMiniGpt4 } from '../../../src/model/families/minigpt4/config.ts';
import { withoutEffect } from '../../../src/model/files/config-fields.ts';
import { readModelConfig } from '../../../src/model/files/model-config.ts';
import { readModelDirectory, writeModelDirectory } from '../../../src/model/files/model-directory.ts';
import { openSafetensors } from '../../../src/model/files/safetensors.ts';
import { multimodal } from '../../../src/model/multimodal.ts';
import { frozen, Tape } from '../../../src/model/ops/tape.ts';
import { collate } from '../../../src/trainer/jobs/batch.ts';
import { causalTables } from '../../../src/trainer/jobs/finetune/loss.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { FIXTURES, readFeed, readFeeds, run } from './compare.ts';

type Json = Record<string, unknown>;
interface Change {
  model: 'tiny-blip2' | 'tiny-llava';
  part?: string;
  change?: Json;
  losses?: number[];
  refusal?: string;
}
const recorded = JSON.parse(await readFile(path.join(FIXTURES, 'config-fields.json'), 'utf8')) as {
  deleted: string;
  changes: Change[];
};
/** The four of `parity/rope-fields-ignored`; none may be refused. */
const plain = { rope_type: 'default', rope_theta: 10000 };
const linear = { rope_type: 'linear', factor: 2, rope_theta: 77 };
const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, rope_theta: 10000 };
const ropeFieldsIgnored = [
  { rope_parameters: { type: 'linear', factor: 3, rope_theta: 10000 } },
  { rope_parameters: plain, rope_scaling: { rope_type: 'linear', factor: 3 } },
  { rope_parameters: recorded.deleted, rope_theta: 10000, rope_scaling: linear },
  { rope_parameters: recorded.deleted, rope_scaling: { rope_type: 'default', rope_theta: 77 } },
  {
    rope_parameters: { ...llama3, original_max_position_embeddings: 64 },
    original_max_position_embeddings: 16,
  },
];

const [BEFORE, AFTER] = [
  [0, 10, 11, 12],
  [20, 21, 22, 23, 24, 25, 26],
];

/** Losses of the tokens behind an image. */
async function lossesOf(directory: string, fixture: string): Promise<number[]> {
  const model = await readModelDirectory(directory);
  const weights = await readFeeds(model);
  await model.close();
  const family = familyOf(model.config);
  const expected = await openSafetensors(path.join(FIXTURES, fixture, 'expected.safetensors'));
  const pixels = await readFeed(expected, 'pixel_values');
  await expected.close();
  const [, ...size] = pixels.shape as number[];
  const one = {
    data: pixels.data.slice(
      0,
      size.reduce((product, edge) => product * edge),
    ),
    shape: [1, ...size],
  };
  const tokenIds = [...BEFORE, ...new Array<number>(family.imageTokens).fill(3), ...AFTER];
  const answerStart = tokenIds.length - AFTER.length;
  const shape = { batch: 1, tokens: tokenIds.length, targets: AFTER.length };
  const batch = collate([{ tokenIds, imageStart: BEFORE.length, answerStart }], shape, family.imageTokens);
  const feeds = Object.fromEntries(
    Object.entries(batch).map(([name, data]) => [
      name,
      { data, shape: name === 'isImage' ? [data.length, 1] : [data.length] },
    ]),
  );
  const { losses } = run(
    'eager',
    (ops, inputs) => {
      const tape = new Tape(ops);
      const all = inputs as Record<string, never>;
      const named = (name: string) => {
        if (all[name] === undefined) throw new Error(`no tensor ${name}`);
        return frozen(all[name]);
      };
      const { value } = multimodal(tape, named, model.config, {
        ...(all as { tokenIds: never; isImage: never; imageRows: never }),
        batch: 1,
        images: imageEmbeddings(family, tape, named, all.pixels as never),
        tables: causalTables(ops, model.config, tokenIds.length),
        outputs: { perSequence: AFTER.length, rows: all.rows as never, tableRows: all.tableRows as never },
      });
      return { losses: ops.crossEntropy(value, all.labels as never)[0] };
    },
    { ...weights, ...feeds, pixels: one },
  );
  return [...(losses as Float32Array)];
}

describe.each(['tiny-blip2', 'tiny-llava'] as const)('%s', (fixture) => {
  let base: Json;
  beforeAll(async () => {
    base = JSON.parse(await readFile(path.join(FIXTURES, fixture, 'config.json'), 'utf8')) as Json;
  });
  const changes = recorded.changes.filter(({ model }) => model === fixture);
  const ofBase = changes[0]?.losses as number[];

  function configWith({ part, change = {} }: Change): Json {
    const config = structuredClone(base);
    const target = part === undefined ? config : (config[part] as Json);
    for (const [field, value] of Object.entries(change)) {
      if (value === recorded.deleted) delete target[field];
      else target[field] = value;
    }
    return config;
  }

  async function directoryOf(folder: string, change: Change, name: string): Promise<string> {
    const directory = path.join(folder, name);
    await mkdir(directory, { recursive: true });
    await writeFile(path.join(directory, 'config.json'), JSON.stringify(configWith(change)));
    await symlink(path.join(FIXTURES, fixture, 'model.safetensors'), path.join(directory, 'model.safetensors'));
    return directory;
  }

  test('every field is computed as transformers does, or refused by its name', async () => {
    const folder = await temporaryFolder();
    const wrong: unknown[] = [];
    const computed: unknown[] = [];
    for (const [index, change] of changes.entries()) {
      const directory = await directoryOf(folder, change, String(index));
      try {
        const found = await lossesOf(directory, fixture);
        const wanted = change.losses ?? ofBase;
        const difference = Math.max(...found.map((loss, place) => Math.abs(loss - (wanted[place] as number))));
        // What transformers crashes on may well be computed here.
        if (change.refusal === undefined && !(difference < 1e-3)) wrong.push({ ...change, difference });
        computed.push(change.change);
      } catch (error) {
        const isNamed = error instanceof InputError && error.field !== '' && error.message.includes(directory);
        if (!isNamed) wrong.push({ ...change, error: String(error) });
      }
    }
    expect(wrong).toEqual([]);
    expect(computed).toEqual(expect.arrayContaining(ropeFieldsIgnored));
  });

  test('the fields that are said to change nothing change nothing in transformers', async () => {
    const parts = fixture === 'tiny-blip2' ? blip2Parts : llavaParts;
    for (const [part, fields] of parts) {
      for (const field of fields) {
        const tried = changes.filter((one) => one.part === part && Object.keys(one.change ?? {}).join() === field);
        expect(tried.length, `${part ?? fixture}: ${field} is not in the fixture`).toBeGreaterThan(0);
        for (const { losses, refusal } of tried) {
          expect(losses, `${part ?? fixture}: ${field}`).toBeUndefined();
          // Its outputs are tuples then: how, not what, is computed.
          if (field !== 'return_dict') expect(refusal, `${part ?? fixture}: ${field}`).toBeUndefined();
        }
      }
    }
  });

  test('a field that is not known is named, with what to do', async () => {
    const change = { model: fixture, part: 'text_config', change: { made_up: 1 } };
    const directory = await directoryOf(await temporaryFolder(), change, 'made-up');
    await expect(readModelConfig(directory)).rejects.toMatchObject({
      name: 'InputError',
      file: path.join(directory, 'config.json'),
      field: 'text_config.made_up',
      problem: expect.stringContaining('Remove it if'),
    });
  });
});

const blip2Parts: [string | undefined, readonly string[]][] = [
  [undefined, ofMiniGpt4.whole],
  ['vision_config', ofMiniGpt4.vision],
  ['qformer_config', ofMiniGpt4.queryTransformer],
  ['text_config', withoutEffect.llama],
];
const llavaParts: [string | undefined, readonly string[]][] = [
  [undefined, ofLlava],
  ['vision_config', withoutEffect.clipVision],
  ['text_config', withoutEffect.llama],
];

test('parity/qkv-bias-false: a vision encoder without biases in its attention has the losses of transformers', async () => {
  const model = await readModelDirectory(path.join(FIXTURES, 'tiny-blip2'));
  const { vision_config: vision } = model.config as unknown as { vision_config: Json };
  const config = { ...model.config, vision_config: { ...vision, qkv_bias: false } } as typeof model.config;
  const tensors = await Promise.all(
    model
      .names()
      .filter((name) => !name.endsWith('self_attn.qkv.bias'))
      .map(async (name) => ({ name, ...(await model.read(name)) })),
  );
  await model.close();
  const directory = await temporaryFolder();
  await writeModelDirectory(directory, { config, tensors });
  const found = await lossesOf(directory, 'tiny-blip2');
  const wanted = recorded.changes.find(({ change }) => change?.qkv_bias === false)?.losses as number[];
  expect(Math.max(...found.map((loss, place) => Math.abs(loss - (wanted[place] as number))))).toBeLessThan(1e-3);
});
