import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import type { ImageLimits } from '../../../src/config/image-schema.ts';
import { readJson } from '../../../src/core/read-json.ts';
import { writeJson } from '../../../src/core/write-file.ts';
import type { FinetuneJob } from '../../../src/trainer/protocol.ts';
import { imageFields } from '../../../src/trainer/supervisor/image-fields.ts';
import { tinyFinetune } from '../../helpers/jobs.ts';
import { writeTinyMixture } from '../../helpers/tiny-model.ts';
import { runTorch, TORCH_TIMEOUTS, torchIsSetUp, torchPython } from './torch-jobs.ts';

vi.setConfig(TORCH_TIMEOUTS);

/** Tokens of one image of 96 × 64 pixels and one of 200 × 40, with the model's own limits and with these. */
const LIMITS: Record<string, ImageLimits> = {
  qwen2_5_vl: { minPixels: 512, maxPixels: 2048 },
  qwen3_vl: { maxPixels: 2048 },
  glm4v: { maxPixels: 28 * 28 * 2 },
  internvl: { maxPatches: 2 },
  llava_next: { imageGridPinpoints: [[32, 32]] },
  llava_next_video: { imageGridPinpoints: [[32, 32]] },
  llava_onevision: { imageGridPinpoints: [[32, 32]] },
  idefics3: { longestEdge: 32 },
  smolvlm: { longestEdge: 96 },
};
const MADE_APART = ['qwen2_5_vl', 'internvl', 'llava_next', 'llava_onevision'];

describe.skipIf(!torchIsSetUp)('limits on images', () => {
  let folder: string;
  const inFolder = (...names: string[]) => path.join(folder, ...names);
  let images: string[];

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'image-limits-'));
    await torchPython(
      'make-family.py',
      folder,
      'idefics2',
      'mllama',
      'paligemma',
      ...Object.keys(LIMITS).filter((kind) => !MADE_APART.includes(kind)),
    );
    for (const kind of MADE_APART) await torchPython('make-chat-model.py', kind, inFolder(kind));
    images = await Promise.all(
      [
        [96, 64],
        [200, 40],
      ].map(async ([width = 0, height = 0]) => {
        const file = inFolder(`${width}x${height}.png`);
        const noise = { type: 'gaussian', mean: 120, sigma: 60 } as const;
        await sharp({ create: { width, height, channels: 3, background: 'white', noise } })
          .png()
          .toFile(file);
        return file;
      }),
    );
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('change how many tokens an image takes, by the files of the model with them too', async () => {
    const fields: Record<string, unknown> = {};
    for (const [kind, limits] of Object.entries(LIMITS)) fields[kind] = await imageFields(inFolder(kind), limits);
    // Its tokens are as many whatever the size.
    fields.idefics2 = await imageFields(inFolder('idefics2'), { longestEdge: 24 });
    await writeJson(inFolder('fields.json'), fields);
    const found = JSON.parse(await torchPython('check-image-limits.py', folder, inFolder('fields.json'), ...images));
    for (const kind of Object.keys(LIMITS)) {
      const { before, limited, stored, alike, losses } = found[kind];
      expect(limited, kind).not.toEqual(before);
      expect(stored, kind).toEqual(limited);
      expect(alike, kind).toBe(true);
      for (const loss of losses) expect(loss, kind).toBeGreaterThan(0);
    }
    expect(found.idefics2).toMatchObject({ alike: true, limited: found.idefics2.before });
    // Of 16 × 16 pixels each: 64 × 48 becomes 48 × 32, and 128 × 16 becomes 96 × 16.
    const [one, other] = found.qwen2_5_vl.before;
    expect(found.qwen2_5_vl.limited).toEqual([one - 6, other - 2]);
  });

  test('maximumSequence counts an image as its tokens, and cuts words alone', async () => {
    const kinds = [...Object.keys(LIMITS), 'idefics2', 'mllama', 'paligemma'];
    const found = JSON.parse(await torchPython('check-sequence-limit.py', folder, images[1] as string, ...kinds));
    for (const kind of kinds) {
      const { counted, tokens, beyond, cut, learned, unlearned, refused } = found[kind];
      expect(counted, kind).toBe(tokens);
      expect({ beyond, cut }, kind).toEqual({ beyond: 3, cut: [tokens - 3, learned - 3] });
      expect(unlearned, kind).toEqual([tokens - learned, 0]);
      expect(refused, kind).toMatch(/^image: with the words before it has \d+ tokens, which leave no room for more/);
    }
  });

  test('hold in training and merge, and are in the merged model', async () => {
    const model = inFolder('qwen2_5_vl');
    const mixture = await writeTinyMixture(inFolder('mixture'), 8);
    const image = await imageFields(model, { minPixels: 256, maxPixels: 512 });
    const job = (name: string, changes: Partial<FinetuneJob>): FinetuneJob =>
      tinyFinetune(model, mixture, inFolder(name), {
        lora: { rank: 4, alpha: 8, dropout: 0, targetModules: ['q_proj', 'v_proj'] },
        steps: 2,
        batchSize: 4,
        microBatchSize: 4,
        ...changes,
      });
    const limited = job('limited', { image });
    const plain = job('plain', {});
    const { metrics } = await runTorch(limited, limited.output, { processes: 1 });
    const other = await runTorch(plain, plain.output, { processes: 1 });
    expect(metrics.loss).not.toBe(other.metrics.loss);
    const output = inFolder('merged');
    const parity = { samples: mixture.samplesFile, count: 4, tolerance: 1e-3 };
    // The merged model is compared as its own files say.
    const merge = { kind: 'merge', model, adapter: limited.output, output, parity, image } as const;
    expect((await runTorch(merge, inFolder('job'), { processes: 1 })).metrics.maximumDifference).toBeLessThan(1e-4);
    const size = { shortest_edge: 256, longest_edge: 512 };
    expect(await readJson(path.join(output, 'preprocessor_config.json'), z.unknown())).toMatchObject({
      size,
      min_pixels: 256,
      max_pixels: 512,
      patch_size: 8,
    });
  });

  test("LLaVA-NeXT's sizes are in the merged model's config too", async () => {
    const model = inFolder('llava_next');
    const mixture = await writeTinyMixture(inFolder('mixture'), 8);
    const image = await imageFields(model, { imageGridPinpoints: [[32, 96]] });
    const job = tinyFinetune(model, mixture, inFolder('next'), { image, steps: 1, batchSize: 2, microBatchSize: 2 });
    await runTorch(job, job.output, { processes: 1 });
    const output = inFolder('merged-next');
    const parity = { samples: mixture.samplesFile, count: 2, tolerance: 1e-3 };
    await runTorch({ kind: 'merge', model, adapter: job.output, output, parity, image }, inFolder('job'), {
      processes: 1,
    });
    for (const name of ['config.json', 'preprocessor_config.json']) {
      const content = await readJson(path.join(output, name), z.looseObject({}));
      expect(content, name).toMatchObject({ image_grid_pinpoints: [[32, 96]] });
    }
  });
});
