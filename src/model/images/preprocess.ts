import pLimit from 'p-limit';
import { maximumImagePixels, type OpenSettings, openImage, type RgbImage } from '../../core/images/open-image.ts';
import { imageError } from '../../core/images/read-image-file.ts';
import { cropCenter, cropTo, padToSquare } from './frame.ts';
import type { PreprocessorConfig } from './processor-config.ts';
import type { CropBox } from './random-crop.ts';
import { resizeImage } from './resample.ts';

/** Which part of an image is shown. Default: as the image processor does. */
export interface CropSettings {
  crop?: (image: { width: number; height: number }) => CropBox;
}

/**
 * Decodes, resizes, crops and normalizes an image, equal to the image processor of `transformers` that the config
 * belongs to with `exif: ignore`: exactly, but for 16-bit gray (see `openImage`, `resizeImage`).
 *
 * @param source the path of an image, or its content
 * @param settings.crop chooses a part of the image, which is then resized to the size of the model at once, by the bicubic
 * filter, whatever the config has between
 * @returns [3, height, width], the red, green and blue planes
 * @throws InputError naming the image that is missing, cut short or no image.
 */
export async function preprocessImage(
  source: string | Buffer,
  config: PreprocessorConfig,
  settings: OpenSettings & CropSettings = {},
): Promise<Float32Array> {
  const values = new Float32Array(3 * config.height * config.width);
  await preprocessInto(values, source, { config, table: valuesOfBytes(config), settings });
  return values;
}

/**
 * Preprocesses many images; decoding runs on the threads of sharp.
 *
 * @param concurrency how many images are in memory at a time
 * @returns [number of images, 3, height, width]
 * @throws InputError naming the first image that can't be read.
 * @example
 * const pixels = await preprocessImages(files, await readPreprocessorConfig('data/stage1'));
 */
export async function preprocessImages(
  sources: readonly (string | Buffer)[],
  config: PreprocessorConfig,
  { concurrency = 8, ...settings }: OpenSettings & { concurrency?: number } = {},
): Promise<Float32Array> {
  const size = 3 * config.height * config.width;
  const values = new Float32Array(sources.length * size);
  const table = valuesOfBytes(config);
  const limit = pLimit(concurrency);
  await Promise.all(
    sources.map((source, index) =>
      limit(() =>
        preprocessInto(values.subarray(index * size, (index + 1) * size), source, { config, table, settings }),
      ),
    ),
  );
  return values;
}

async function preprocessInto(
  target: Float32Array,
  source: string | Buffer,
  {
    config,
    table,
    settings,
  }: {
    config: PreprocessorConfig;
    table: readonly Float32Array[];
    settings: OpenSettings & CropSettings;
  },
): Promise<void> {
  const { width, height } = config;
  const { data } = await openImage(source, settings, (image) => {
    if (settings.crop) return resizeImage(cropTo(image, settings.crop(image)), width, height, 'bicubic');
    refuseNarrow(image, config, typeof source === 'string' ? source : 'image in memory');
    return framed(image, config);
  });
  for (const [channel, valueOfByte] of table.entries()) {
    const plane = channel * width * height;
    for (let pixel = 0; pixel < width * height; pixel++) {
      target[plane + pixel] = valueOfByte[data[pixel * 3 + channel] as number] as number;
    }
  }
}

/** Refuses what a few pixels would make huge: padded to a square, or with its shorter edge enlarged to that of the model. */
function refuseNarrow(
  { width, height }: RgbImage,
  { padsToSquare, shortestEdge = 0 }: PreprocessorConfig,
  file: string,
): void {
  const [shorter, longer] = width < height ? [width, height] : [height, width];
  const pixels = padsToSquare ? longer ** 2 : (shortestEdge ** 2 * longer) / shorter;
  if (pixels > maximumImagePixels) throw imageError(file, `is too narrow to be resized (${width} x ${height})`);
}

/** The image in the size of the config. */
function framed(image: RgbImage, config: PreprocessorConfig): RgbImage {
  const { width, height, resized, shortestEdge, padsToSquare, filter, mean } = config;
  const padded = padsToSquare
    ? padToSquare(
        image,
        mean.map((value) => Math.trunc(value * 255)),
      )
    : image;
  if (shortestEdge === undefined) {
    const target = resized ?? config;
    return cropCenter(resizeImage(padded, target.width, target.height, filter), width, height);
  }
  const shorter = Math.min(padded.width, padded.height);
  const scaled = (edge: number) => Math.trunc((shortestEdge * edge) / shorter);
  return cropCenter(resizeImage(padded, scaled(padded.width), scaled(padded.height), filter), width, height);
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
