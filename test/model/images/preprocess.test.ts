import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/input-error.ts';
import { openSafetensors, type SafetensorsFile } from '../../../src/model/files/safetensors.ts';
import { preprocessImage, preprocessImages } from '../../../src/model/images/preprocess.ts';
import { type PreprocessorConfig, readPreprocessorConfig } from '../../../src/model/images/processor-config.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const image = (name: string) => path.join(fixtures, 'images', name);
const small: PreprocessorConfig = {
  ...(await readPreprocessorConfig(path.join(fixtures, 'tiny-blip2'))),
  height: 20,
  width: 24,
};

describe('preprocessing an image', () => {
  let expected: SafetensorsFile;
  beforeAll(async () => {
    expected = await openSafetensors(image('expected.safetensors'));
  });
  afterAll(() => expected.close());

  const kinds = [
    'wide.jpg',
    'tall.png',
    'enlarged.png',
    'gray.jpg',
    'cmyk.jpg',
    'exif-turned.jpg',
    'color-profile.jpg',
    'transparent.png',
    'gray-transparent.png',
    'palette.png',
  ];
  it.each(kinds)("gives the values of Hugging Face's image processor: %s", async (name) => {
    for (const filter of ['bicubic', 'bilinear'] as const) {
      const values = await preprocessImage(image(name), { ...small, filter }, { exif: 'ignore' });
      expect(values).toEqual(await expected.read(`${filter} ${name}`));
    }
  });

  it.each(['clip', 'clip-small', 'clip-large', 'llava'])(
    "cuts and frames as CLIP's and LLaVA's processors do: %s",
    async (processor) => {
      const config = await readPreprocessorConfig(image(processor));
      const cropped = await openSafetensors(image('expected-cropped.safetensors'));
      for (const name of kinds) {
        const values = await preprocessImage(image(name), config, { exif: 'ignore' });
        expect(values, name).toEqual(await cropped.read(`${processor} ${name}`));
      }
      await cropped.close();
    },
  );

  it('takes the content of a file as well as its path', async () => {
    const content = await readFile(image('wide.jpg'));
    expect(await preprocessImage(content, small)).toEqual(await preprocessImage(image('wide.jpg'), small));
  });

  it('does many at a time, in their order', async () => {
    const files = kinds.map(image);
    const together = await preprocessImages(files, small, { concurrency: 3 });
    const each = await Promise.all(files.map((file) => preprocessImage(file, small)));
    expect(together).toHaveLength(10 * 3 * 20 * 24);
    expect([...together]).toEqual(each.flatMap((values) => [...values]));
    expect(await preprocessImages([], small)).toHaveLength(0);
  });
});

describe('an image that cannot be read', () => {
  it.each(['wide.jpg', 'tall.png'])('is named when it is cut short: %s', async (name) => {
    const directory = await temporaryFolder();
    const file = path.join(directory, name);
    const content = await readFile(image(name));
    await writeFile(file, content.subarray(0, Math.floor(content.length * 0.7)));
    await expect(preprocessImage(file, small)).rejects.toThrow(`${file}: is cut short or not an image`);
    await expect(preprocessImages([image('tall.png'), file], small)).rejects.toThrow(InputError);
  });

  it('is named when it is missing or no image', async () => {
    await expect(preprocessImage('/nowhere/1.jpg', small)).rejects.toThrow('/nowhere/1.jpg: no such image');
    await expect(preprocessImage(fileURLToPath(import.meta.url), small)).rejects.toThrow(
      'is cut short or not an image',
    );
  });
});

describe('the config of the image processor', () => {
  async function readWritten(name: string, content: unknown): Promise<PreprocessorConfig> {
    const directory = await temporaryFolder();
    await writeFile(path.join(directory, name), JSON.stringify(content));
    return readPreprocessorConfig(directory);
  }
  const settings = {
    image_processor_type: 'BlipImageProcessor',
    size: 64,
    resample: 2,
    image_mean: [0.1, 0.2, 0.3],
    image_std: [0.4, 0.5, 0.6],
  };
  const understood = {
    height: 64,
    width: 64,
    padsToSquare: false,
    filter: 'bilinear',
    rescaleFactor: 1 / 255,
    mean: [0.1, 0.2, 0.3],
    standardDeviation: [0.4, 0.5, 0.6],
  };

  it('is read from preprocessor_config.json', async () => {
    expect(small).toMatchObject({
      filter: 'bicubic',
      rescaleFactor: 1 / 255,
      mean: [0.48145466, 0.4578275, 0.40821073],
    });
    expect(await readWritten('preprocessor_config.json', settings)).toEqual(understood);
  });

  it('is read from processor_config.json, where newer versions of transformers write it', async () => {
    expect(await readWritten('processor_config.json', { image_processor: settings })).toEqual(understood);
  });

  it.each([
    ['another filter', { ...settings, resample: 1 }, 'resample'],
    ['cropping to no size', { ...settings, do_center_crop: true }, 'crop_size'],
    ['images of many sizes', { ...settings, size: { shortest_edge: 64 } }, 'do_center_crop'],
    ['padding', { ...settings, do_pad: true }, 'do_pad'],
    ['no type of processor', { ...settings, image_processor_type: undefined }, 'image_processor_type'],
    ['a mean that is none', { ...settings, image_mean: null }, 'image_mean'],
    ['a standard deviation of zero', { ...settings, image_std: [1, 0, 1] }, 'image_std[1]'],
  ])('names the setting that is not supported: %s', async (_, content, field) => {
    await expect(readWritten('preprocessor_config.json', content)).rejects.toMatchObject({ name: 'InputError', field });
  });
});
