import { cp, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import type { ExifMode } from '../../../../src/core/images/image-kind.ts';
import { type ModelDirectory, readModelDirectory } from '../../../../src/model/files/model-directory.ts';
import { initialTensor } from '../../../../src/model/initialize.ts';
import {
  type ImageCacheSettings,
  imageCacheSettings,
  openImageCache,
} from '../../../../src/trainer/jobs/vision/image-cache.ts';
import { imageFeatures } from '../../../../src/trainer/jobs/vision/image-features.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { writeTinyModel, writeTinyQuestions } from '../../../helpers/tiny-model.ts';

const UNLIMITED = Number.POSITIVE_INFINITY;
let model: ModelDirectory;
let files: string[];

beforeAll(async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'image-cache-'));
  await writeTinyModel(path.join(folder, 'model'));
  model = await readModelDirectory(path.join(folder, 'model'));
  const { images } = await writeTinyQuestions(path.join(folder, 'data'), 6);
  files = (await readdir(images)).sort().map((name) => path.join(images, name));
  return async () => {
    await model.close();
    await rm(folder, { recursive: true, force: true });
  };
});

const emptyCache = async (maximumBytes = UNLIMITED): Promise<ImageCacheSettings> => ({
  folder: path.join(await temporaryFolder(), 'cache'),
  maximumBytes,
});

/** The model with every read recorded, and optionally other weights. */
function watched(change: (name: string, data: Float32Array) => Float32Array = (_, data) => data) {
  const read: string[] = [];
  const directory: ModelDirectory = {
    ...model,
    read: async (name) => {
      read.push(name);
      const { shape, data } = await model.read(name);
      return { shape, data: change(name, data) };
    },
  };
  return { directory, read };
}

const featuresOf = async (cacheSettings?: ImageCacheSettings, from = model, of = files, exif?: ExifMode) => {
  const features = await imageFeatures(from, of, { cacheSettings, exif });
  try {
    return features.batch(of);
  } finally {
    features.dispose();
  }
};

const filesIn = async (folder: string) =>
  (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.f32')).sort();

test('an image that was computed before, under whatever name, has exactly its first features, and nothing is computed', async () => {
  const cacheSettings = await emptyCache();
  const first = await featuresOf(cacheSettings);
  expect(await filesIn(cacheSettings.folder)).toHaveLength(files.length);

  const elsewhere = await temporaryFolder();
  const copies = files.map((_, index) => path.join(elsewhere, `copy-${index}.jpg`));
  for (const [index, file] of files.entries()) await cp(file, copies[index] as string);
  const { directory, read } = watched();
  expect(await featuresOf(cacheSettings, directory, copies)).toEqual(first);
  // Every weight of the vision side is read once, for its hash, and none again to compute with; the projection's are.
  const ofVision = read.filter((name) => !name.startsWith('language_projection.'));
  expect(new Set(ofVision).size).toBe(ofVision.length);
  expect(ofVision.length).toBeGreaterThan(0);
});

test('without a cache the features are the same and every time computed', async () => {
  const { directory, read } = watched();
  const found = await featuresOf(undefined, directory);
  expect(found).toEqual(await featuresOf(await emptyCache()));
  expect(read.length).toBeGreaterThan(0);
});

test('other weights of the vision side have features of their own; the rest of the model does not count', async () => {
  const cacheSettings = await emptyCache();
  const first = await featuresOf(cacheSettings);
  const other = (part: RegExp) =>
    watched((name, data) => (part.test(name) ? initialTensor('x', [data.length, 1, 1], 9, 1) : data)).directory;
  expect(await featuresOf(cacheSettings, other(/^language_model\./))).toEqual(first);
  expect(await featuresOf(cacheSettings, other(/^language_projection\.weight/))).not.toEqual(first);
  expect(await filesIn(cacheSettings.folder)).toHaveLength(files.length);
  expect(await featuresOf(cacheSettings, other(/^qformer\..*weight/))).not.toEqual(first);
  expect(await filesIn(cacheSettings.folder)).toHaveLength(2 * files.length);
});

test('an image opened in another way has features of its own', async () => {
  const cacheSettings = await emptyCache();
  const turned = fileURLToPath(new URL('../../../fixtures/ugly-images/exif6.jpg', import.meta.url));
  const found = (exif: ExifMode) => featuresOf(cacheSettings, model, [turned], exif);
  const upright = await found('apply');
  expect(await found('ignore')).not.toEqual(upright);
  expect(await found('apply')).toEqual(upright);
});

test('an image that was replaced is computed again', async () => {
  const cacheSettings = await emptyCache();
  const [one, another] = files as [string, string];
  const place = path.join(await temporaryFolder(), 'image.jpg');
  await cp(one, place);
  const before = await featuresOf(cacheSettings, model, [place]);
  await cp(another, place);
  const after = await featuresOf(cacheSettings, model, [place]);
  expect(after).not.toEqual(before);
  expect(after).toEqual(await featuresOf(cacheSettings, model, [another]));
});

test('a file that was truncated or altered is computed and written again', async () => {
  const cacheSettings = await emptyCache();
  const first = await featuresOf(cacheSettings);
  const [short, altered] = (await filesIn(cacheSettings.folder)).map((name) => path.join(cacheSettings.folder, name));
  const whole = await readFile(altered as string);
  await truncate(short as string, 40);
  await writeFile(altered as string, whole.with(8, (whole[8] as number) ^ 1));
  expect(await featuresOf(cacheSettings)).toEqual(first);
  expect(await readFile(altered as string)).toEqual(whole);
});

test('processes that fill one folder at a time do each other no harm', async () => {
  const cacheSettings = await emptyCache();
  const all = await Promise.all([1, 2, 3].map(() => featuresOf(cacheSettings)));
  for (const features of all) expect(features).toEqual(all[0]);
  const names = await readdir(cacheSettings.folder, { recursive: true });
  expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([]);
  expect(names.filter((name) => name.endsWith('.f32'))).toHaveLength(files.length);
});

test('beyond the limit the least recently used go first', async () => {
  const settings = await emptyCache(3 * (4 * 4 + 32));
  const cache = openImageCache(settings, 'computation');
  const old = new Date('2020-01-01');
  for (const name of ['a', 'b', 'c', 'd']) {
    await cache.write(name, Float32Array.of(1, 2, 3, 4));
    await utimes(path.join(settings.folder, 'computation', `${name}.f32`), old, old);
  }
  expect(await cache.read('a', 4)).toEqual(Float32Array.of(1, 2, 3, 4));
  await cache.trim();
  const left = await filesIn(settings.folder);
  expect(left).toHaveLength(3);
  expect(left).toContain(path.join('computation', 'a.f32'));
});

test('the environment names the folder and its size, or turns the cache off', () => {
  expect(imageCacheSettings({})).toEqual({ folder: '.cache/image-features', maximumBytes: 20e9 });
  expect(imageCacheSettings({ DATAENGINE_IMAGE_CACHE: '/big', DATAENGINE_IMAGE_CACHE_GB: '0.5' })).toEqual({
    folder: '/big',
    maximumBytes: 5e8,
  });
  expect(imageCacheSettings({ DATAENGINE_IMAGE_CACHE: 'off' })).toBeUndefined();
  expect(() => imageCacheSettings({ DATAENGINE_IMAGE_CACHE_GB: 'much' })).toThrow('DATAENGINE_IMAGE_CACHE_GB');
});
