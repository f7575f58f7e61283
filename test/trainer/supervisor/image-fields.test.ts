import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ImageLimits } from '../../../src/config/image-schema.ts';
import { writeJson } from '../../../src/core/write-file.ts';
import { imageFields } from '../../../src/trainer/supervisor/image-fields.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

async function fieldsOf(model_type: string, processor: object, limits: ImageLimits, nested = false) {
  const directory = await temporaryFolder();
  await writeJson(path.join(directory, 'config.json'), { model_type, vision_config: { image_size: 980 } });
  await writeJson(path.join(directory, 'preprocessor_config.json'), nested ? { size: 7 } : processor);
  if (nested) await writeJson(path.join(directory, 'processor_config.json'), { image_processor: processor });
  return imageFields(directory, limits);
}

describe('limits on images, in the fields of a model', () => {
  test('Qwen2.5-VL: by the names of edges, and of pixels, which earlier versions read', async () => {
    const own = { min_pixels: 3136, max_pixels: 12_845_056, patch_size: 14, merge_size: 2 };
    expect(await fieldsOf('qwen2_5_vl', own, { maxPixels: 200_704 })).toEqual({
      processor: {
        size: { shortest_edge: 3136, longest_edge: 200_704 },
        min_pixels: 3136,
        max_pixels: 200_704,
      },
    });
  });

  test('as the model has the other limit, in whichever of its files', async () => {
    const own = { size: { shortest_edge: 65_536, longest_edge: 16_777_216 }, patch_size: 16 };
    for (const nested of [false, true]) {
      expect((await fieldsOf('qwen3_vl', own, { maxPixels: 100_000 }, nested))?.processor).toMatchObject({
        size: { shortest_edge: 65_536, longest_edge: 100_000 },
      });
    }
    const older = { size: { min_pixels: 3136, max_pixels: 9_000_000 } };
    expect((await fieldsOf('qwen2_5_vl', older, { maxPixels: 50_000 }))?.processor).toMatchObject({ min_pixels: 3136 });
  });

  test('GLM-4V counts an image as two frames', async () => {
    const own = { size: { shortest_edge: 12_544, longest_edge: 9_633_792 }, temporal_patch_size: 2 };
    expect(await fieldsOf('glm4v', own, { maxPixels: 100_352 })).toEqual({
      processor: { size: { shortest_edge: 12_544, longest_edge: 200_704 } },
    });
  });

  test('InternVL, Idefics 2 and 3, SmolVLM, and the LLaVA families that choose among sizes', async () => {
    expect(await fieldsOf('internvl', { max_patches: 12 }, { maxPatches: 4 })).toEqual({
      processor: { min_patches: 1, max_patches: 4 },
    });
    const size = { shortest_edge: 378, longest_edge: 980 };
    expect(await fieldsOf('idefics2', { size }, { longestEdge: 448 })).toEqual({
      processor: { size: { shortest_edge: 378, longest_edge: 448 } },
    });
    const tiles = { size: { longest_edge: 2048 }, max_image_size: { longest_edge: 512 } };
    for (const kind of ['idefics3', 'smolvlm']) {
      expect(await fieldsOf(kind, tiles, { longestEdge: 1024 })).toEqual({
        processor: { size: { longest_edge: 1024 } },
      });
    }
    const imageGridPinpoints: [number, number][] = [[336, 672]];
    const image_grid_pinpoints = imageGridPinpoints;
    for (const kind of ['llava_next', 'llava_next_video', 'llava_onevision']) {
      expect(await fieldsOf(kind, { crop_size: { height: 336, width: 336 } }, { imageGridPinpoints })).toEqual({
        processor: { image_grid_pinpoints },
        model: { image_grid_pinpoints },
      });
    }
  });

  test('none are none', async () => expect(await fieldsOf('paligemma', {}, {})).toBeUndefined());

  test.each<[string, object, ImageLimits, string]>([
    [
      'qwen2_5_vl',
      {},
      { maxPatches: 4 },
      'model.image.maxPatches: is no limit of Qwen2.5-VL. Set model.image.minPixels or model.image.maxPixels instead',
    ],
    [
      'internvl',
      {},
      { maxPixels: 9999 },
      'model.image.maxPixels: is no limit of InternVL. Set model.image.minPatches or',
    ],
    [
      'llava',
      {},
      { maxPixels: 9999 },
      "model.image.maxPixels: can't be set: LLaVA-1.5 brings every image to one size. Remove model.image",
    ],
    ['gemma3', {}, { maxPatches: 4 }, 'pan and scan off'],
    ['mllama', {}, { maxPatches: 4 }, 'weights for each way to lay out its tiles'],
    ['aria', {}, { maxPatches: 4 }, 'model.image: is not known for models of model_type aria'],
    [
      'qwen2_5_vl',
      { min_pixels: 3136 },
      { maxPixels: 2000 },
      'model.image.maxPixels: is 2000, and minPixels of the model is 3136. Set model.image.minPixels too',
    ],
    ['qwen2_5_vl', { min_pixels: 100 }, { maxPixels: 700 }, 'is 700, less than the 784 pixels of one token'],
    ['internvl', { max_patches: 6 }, { minPatches: 8 }, 'is 8, and maxPatches of the model is 6'],
    ['idefics2', {}, { longestEdge: 1400 }, 'is 1400, and the vision side takes 980 at most'],
    ['idefics3', {}, { longestEdge: 2500 }, 'more than the 6 tiles of 364 pixels that have tokens. Set at most 2184'],
    [
      'llava_next',
      { crop_size: 336 },
      { imageGridPinpoints: [[336, 500]] },
      "has 500, no multiple of a tile's 336 pixels",
    ],
  ])('%s: %j refuses %j', async (kind, processor, limits, message) => {
    await expect(fieldsOf(kind, processor, limits)).rejects.toThrow(message);
    await expect(fieldsOf(kind, processor, limits)).rejects.toMatchObject({ name: 'InputError' });
  });
});
