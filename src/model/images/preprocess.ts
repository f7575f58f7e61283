import path from 'node:path';
import pLimit from 'p-limit';
import { z } from 'zod';
import { fileExists } from '../../core/files.ts';
import { maximumImagePixels, type OpenSettings, openImage, type RgbImage } from '../../core/images/open-image.ts';
import { imageError } from '../../core/images/read-image-file.ts';
import { readJson } from '../../core/read-json.ts';
import { cropCenter, padToSquare } from './frame.ts';
import { type ResampleFilter, resizeImage } from './resample.ts';

const threeNumbers = z.tuple([z.number(), z.number(), z.number()]);
const notZero = z.number().refine((value) => value !== 0, 'must not be zero');
const pixels = z.number().int().positive();

const edges = z.union([z.object({ height: pixels, width: pixels }), z.object({ shortest_edge: pixels }), pixels]);

/** What CLIP's and LLaVA's processors do where the file says nothing; BLIP's must say size, mean and deviation. */
const clipDefaults = {
  size: { shortest_edge: 224 },
  crop_size: 224,
  do_center_crop: true,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};

const settingsSchema = z.looseObject({
  size: edges,
  crop_size: z.union([z.object({ height: pixels, width: pixels }), pixels]).optional(),
  resample: z.union([z.literal(2), z.literal(3)]).default(3),
  rescale_factor: z.number().default(1 / 255),
  image_mean: threeNumbers,
  image_std: z.tuple([notZero, notZero, notZero]),
  do_resize: z.literal(true).default(true),
  do_rescale: z.literal(true).default(true),
  do_normalize: z.literal(true).default(true),
  do_center_crop: z.boolean().nullish(),
  do_pad: z.boolean().nullish(),
});

const preprocessorSchema = z
  .preprocess(
    (value) => (processorOf(value) === 'blip' ? value : { ...clipDefaults, ...(value as object) }),
    settingsSchema,
  )
  .transform((settings, context) => {
    const { size, crop_size, resample, rescale_factor, image_mean, image_std, do_center_crop, do_pad } = settings;
    const processor = processorOf(settings);
    const problem = (field: string, message: string) => {
      context.addIssue({ code: 'custom', path: [field], message });
      return z.NEVER;
    };
    if (do_pad && processor !== 'llava') return problem('do_pad', 'is supported for LlavaImageProcessor only');
    if (do_center_crop && crop_size === undefined) return problem('crop_size', 'is missing, as do_center_crop is true');
    // One number is the shorter edge for CLIP's processors, both edges for BLIP's.
    const isShortest = typeof size === 'number' ? processor !== 'blip' : 'shortest_edge' in size;
    const shortestEdge = typeof size === 'number' ? size : 'shortest_edge' in size ? size.shortest_edge : undefined;
    if (isShortest && !do_center_crop && !do_pad) {
      return problem('do_center_crop', 'must be true where size gives the shortest edge: all images need one size');
    }
    const cropped = do_center_crop ? bothEdges(crop_size) : undefined;
    const resized = isShortest ? undefined : bothEdges(size);
    return {
      /** Size of the result. */
      ...((cropped ?? resized ?? bothEdges(shortestEdge)) as { height: number; width: number }),
      /** What the image is resized to before it is cropped; none where `shortestEdge` gives it. */
      resized: cropped && resized,
      /** The length its shorter edge is resized to. */
      shortestEdge: isShortest ? shortestEdge : undefined,
      /** Whether it is made a square first, with bars in the mean's color. */
      padsToSquare: do_pad === true,
      filter: (resample === 3 ? 'bicubic' : 'bilinear') satisfies ResampleFilter as ResampleFilter,
      rescaleFactor: rescale_factor,
      mean: image_mean,
      standardDeviation: image_std,
    };
  });

function bothEdges(size: unknown): { height: number; width: number } {
  return typeof size === 'number' ? { height: size, width: size } : (size as { height: number; width: number });
}

function processorOf(value: unknown): 'blip' | 'clip' | 'llava' {
  const { image_processor_type, feature_extractor_type } = (value ?? {}) as Record<string, unknown>;
  const name = String(image_processor_type ?? feature_extractor_type ?? '');
  return name.startsWith('CLIP') ? 'clip' : name.startsWith('Llava') ? 'llava' : 'blip';
}

/** What happens to an image before the vision encoder: its size in pixels, and how values are scaled. */
export type PreprocessorConfig = z.output<typeof preprocessorSchema>;

/**
 * Reads `preprocessor_config.json` of a model directory or, as newer versions of `transformers` write it,
 * the `image_processor` of `processor_config.json`. Understood is what `BlipImageProcessor`,
 * `CLIPImageProcessor` and `LlavaImageProcessor` do: pad to a square, resize, crop the center, rescale, normalize.
 *
 * @throws InputError naming the file and the setting that is missing or not supported.
 */
export async function readPreprocessorConfig(directory: string): Promise<PreprocessorConfig> {
  const file = path.join(directory, 'preprocessor_config.json');
  const newerFile = path.join(directory, 'processor_config.json');
  if (!(await fileExists(file)) && (await fileExists(newerFile))) {
    return (await readJson(newerFile, z.looseObject({ image_processor: preprocessorSchema }))).image_processor;
  }
  return readJson(file, preprocessorSchema);
}

/**
 * Decodes, resizes, crops and normalizes an image, equal to the image processor of `transformers` that the config
 * belongs to with `exif: ignore`: exactly, but for 16-bit gray (see `openImage`, `resizeImage`).
 *
 * @param source the path of an image, or its content
 * @returns [3, height, width], the red, green and blue planes
 * @throws InputError naming the image that is missing, cut short or no image.
 */
export async function preprocessImage(
  source: string | Buffer,
  config: PreprocessorConfig,
  settings: OpenSettings = {},
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
  { config, table, settings }: { config: PreprocessorConfig; table: readonly Float32Array[]; settings: OpenSettings },
): Promise<void> {
  const { width, height } = config;
  const { data } = await openImage(source, settings, (image) => {
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

/**
 * What `preprocessor_config.json` says of BLIP's image processor, as `transformers` writes it: images resized to a square
 * and normalized by channel.
 *
 * @param side of the square, in pixels
 */
export function blipProcessorConfig(side: number, mean: readonly number[], std: readonly number[]) {
  return {
    image_processor_type: 'BlipImageProcessor',
    do_convert_rgb: true,
    do_resize: true,
    size: { height: side, width: side },
    resample: 3,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: mean,
    image_std: std,
  };
}
