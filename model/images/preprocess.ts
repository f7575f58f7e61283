import { access } from 'node:fs/promises';
import path from 'node:path';
import pLimit from 'p-limit';
import { z } from 'zod';
import { readJson } from '../../store/read-json.ts';
import { decodePicture } from './decode-picture.ts';
import { type ResampleFilter, resizePicture } from './resample.ts';

const threeNumbers = z.tuple([z.number(), z.number(), z.number()]);
const notZero = z.number().refine((value) => value !== 0, 'must not be zero');
const pixels = z.number().int().positive();

const preprocessorSchema = z
  .looseObject({
    size: z.union([z.object({ height: pixels, width: pixels }), pixels]),
    resample: z.union([z.literal(2), z.literal(3)]).default(3),
    rescale_factor: z.number().default(1 / 255),
    image_mean: threeNumbers,
    image_std: z.tuple([notZero, notZero, notZero]),
    do_resize: z.literal(true).default(true),
    do_rescale: z.literal(true).default(true),
    do_normalize: z.literal(true).default(true),
    do_center_crop: z.literal(false).nullish(),
    do_pad: z.literal(false).nullish(),
  })
  .transform(({ size, resample, rescale_factor, image_mean, image_std }) => ({
    height: typeof size === 'number' ? size : size.height,
    width: typeof size === 'number' ? size : size.width,
    filter: (resample === 3 ? 'bicubic' : 'bilinear') satisfies ResampleFilter as ResampleFilter,
    rescaleFactor: rescale_factor,
    mean: image_mean,
    standardDeviation: image_std,
  }));

/** What happens to a picture before the vision encoder: its size in pixels, and how values are scaled. */
export type PreprocessorConfig = z.output<typeof preprocessorSchema>;

/**
 * Reads `preprocessor_config.json` of a model directory or, as newer versions of `transformers` write it,
 * the `image_processor` of `processor_config.json`. Understood is what `BlipImageProcessor` does: resize,
 * rescale, normalize.
 *
 * @throws InputError naming the file and the setting that is missing or not supported.
 */
export async function readPreprocessorConfig(directory: string): Promise<PreprocessorConfig> {
  const file = path.join(directory, 'preprocessor_config.json');
  const newerFile = path.join(directory, 'processor_config.json');
  if (!(await isThere(file)) && (await isThere(newerFile))) {
    return (await readJson(newerFile, z.looseObject({ image_processor: preprocessorSchema }))).image_processor;
  }
  return readJson(file, preprocessorSchema);
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/**
 * Decodes, resizes and normalizes a picture, equal to `BlipImageProcessor` of `transformers`.
 *
 * @param source the path of a picture, or its content
 * @returns [3, height, width], the red, green and blue planes
 * @throws InputError naming the picture that is missing, cut short or no picture.
 */
export async function preprocessPicture(source: string | Buffer, config: PreprocessorConfig): Promise<Float32Array> {
  const values = new Float32Array(3 * config.height * config.width);
  await preprocessInto(values, source, config, valuesOfBytes(config));
  return values;
}

/**
 * Preprocesses many pictures; decoding runs on the threads of sharp.
 *
 * @param concurrency how many pictures are in memory at a time
 * @returns [number of pictures, 3, height, width]
 * @throws InputError naming the first picture that can't be read.
 * @example
 * const pixels = await preprocessPictures(files, await readPreprocessorConfig('data/stage1'));
 */
export async function preprocessPictures(
  sources: readonly (string | Buffer)[],
  config: PreprocessorConfig,
  concurrency = 8,
): Promise<Float32Array> {
  const size = 3 * config.height * config.width;
  const values = new Float32Array(sources.length * size);
  const table = valuesOfBytes(config);
  const limit = pLimit(concurrency);
  await Promise.all(
    sources.map((source, index) =>
      limit(() => preprocessInto(values.subarray(index * size, (index + 1) * size), source, config, table)),
    ),
  );
  return values;
}

async function preprocessInto(
  target: Float32Array,
  source: string | Buffer,
  config: PreprocessorConfig,
  table: readonly Float32Array[],
): Promise<void> {
  const { width, height, filter } = config;
  const { data } = resizePicture(await decodePicture(source), width, height, filter);
  for (const [channel, valueOfByte] of table.entries()) {
    const plane = channel * width * height;
    for (let pixel = 0; pixel < width * height; pixel++) {
      target[plane + pixel] = valueOfByte[data[pixel * 3 + channel] as number] as number;
    }
  }
}

/** For each channel, the normalized value of each byte, rounded where NumPy rounds to 32 bits. */
function valuesOfBytes({ rescaleFactor, mean, standardDeviation }: PreprocessorConfig): Float32Array[] {
  return [0, 1, 2].map((channel) =>
    Float32Array.from({ length: 256 }, (_, byte) => {
      const centered = Math.fround(Math.fround(byte * rescaleFactor) - Math.fround(mean[channel] as number));
      return centered / Math.fround(standardDeviation[channel] as number);
    }),
  );
}
