/** What a model directory says of its image processor, as `AutoImageProcessor` of `transformers` 5.23 reads it. */
import path from 'node:path';
import { z } from 'zod';
import { fileExists } from '../../core/files.ts';
import { readSettings } from '../../core/read-json.ts';
import { sizes } from '../files/config-sizes.ts';
import { onlyKnownFields } from '../files/known-fields.ts';
import type { ResampleFilter } from './resample.ts';

const { edge } = sizes;
const bothEdges = z.strictObject({ height: edge, width: edge });
const sizeSchema = z.union([bothEdges, edge, z.tuple([edge, edge])]);
const mean = z.number();
const deviation = z.number().refine((value) => value !== 0, 'must not be zero');
const ofChannels = (value: z.ZodType<number, number>) =>
  z.union([z.tuple([value, value, value]), value.transform((one): [number, number, number] => [one, one, one])]);

const CLIP_NUMBERS = {
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};
const CLIP_DEFAULTS = {
  ...CLIP_NUMBERS,
  size: { shortest_edge: 224 },
  default_to_square: false,
  crop_size: 224,
  do_center_crop: true,
};

/** The processors that are understood, with what they do where the file says nothing. */
const defaultsOf: Record<string, object> = {
  BlipImageProcessor: { ...CLIP_NUMBERS, size: 384, default_to_square: true, do_center_crop: false },
  CLIPImageProcessor: CLIP_DEFAULTS,
  LlavaImageProcessor: CLIP_DEFAULTS,
};

/** The processor of a model whose files name none. */
const processorOfModel: Record<string, string> = {
  'blip-2': 'BlipImageProcessor',
  llava: 'LlavaImageProcessor',
  clip: 'CLIPImageProcessor',
  clip_vision_model: 'CLIPImageProcessor',
};

/** Fields that change nothing of the pixels, whatever they say; tested against `transformers` one by one. */
export const withoutEffectOnPixels = [
  ...['processor_class', 'auto_map', 'do_convert_rgb', 'data_format', 'input_data_format', 'device', 'return_tensors'],
  ...['disable_grouping', 'image_seq_length', 'crop_pct', 'offset', 'do_thumbnail', 'do_reduce_labels', 'reducing_gap'],
  ...['pad_size'],
] as const;

/** The same of `processor_config.json`: how many tokens an image has is what the model's config says. */
const withoutEffectOnImages = [
  ...['processor_class', 'auto_map', 'patch_size', 'num_additional_image_tokens', 'vision_feature_select_strategy'],
  ...['image_token', 'num_query_tokens', 'chat_template', 'image_seq_length', 'tokenizer'],
] as const;

const settingsSchema = onlyKnownFields(
  z.looseObject({
    image_processor_type: z.enum(Object.keys(defaultsOf), {
      error: ({ input }) => `${input || 'none'} is given, which is not one of ${Object.keys(defaultsOf).join(', ')}`,
    }),
    size: z.unknown(),
    default_to_square: z.boolean(),
    crop_size: sizeSchema.nullish(),
    resample: z.union([z.literal(2), z.literal(3)], { error: 'must be 2 (bilinear) or 3 (bicubic)' }).default(3),
    rescale_factor: z.number().default(1 / 255),
    image_mean: ofChannels(mean),
    image_std: ofChannels(deviation),
    do_resize: z.literal(true).default(true),
    do_rescale: z.literal(true).default(true),
    do_normalize: z.literal(true).default(true),
    do_center_crop: z.boolean().nullable(),
    do_pad: z.boolean().nullish(),
    use_square_size: z.literal(false, { error: 'is not supported: give the size as height and width' }).nullish(),
  }),
  withoutEffectOnPixels,
).transform((settings, context) => {
  const { image_processor_type, resample, rescale_factor, image_mean, image_std, do_center_crop, do_pad } = settings;
  const problem = (field: string, message: string) => {
    context.addIssue({ code: 'custom', path: field.split('.'), message });
    return z.NEVER;
  };
  if (do_pad && image_processor_type !== 'LlavaImageProcessor') {
    return problem('do_pad', 'is supported for LlavaImageProcessor only');
  }
  if (do_center_crop && !settings.crop_size) {
    return problem('crop_size', 'is missing, as do_center_crop is true');
  }
  const size = sizeOf(settings.size, settings.default_to_square);
  if ('problem' in size) return problem(size.field, size.problem);
  const { shortestEdge } = size;
  if (shortestEdge !== undefined && !do_center_crop && !do_pad) {
    return problem('do_center_crop', 'must be true where size gives the shortest edge: all images need one size');
  }
  const cropped = do_center_crop ? edgesOf(settings.crop_size) : undefined;
  return {
    /** Size of the result. */
    ...(cropped ?? size.resized ?? edgesOf(shortestEdge)),
    /** What the image is resized to before it is cropped; none where `shortestEdge` gives it. */
    resized: cropped && size.resized,
    /** The length its shorter edge is resized to. */
    shortestEdge,
    /** Whether it is made a square first, with bars in the mean's color. */
    padsToSquare: do_pad === true,
    filter: (resample === 3 ? 'bicubic' : 'bilinear') satisfies ResampleFilter as ResampleFilter,
    rescaleFactor: rescale_factor,
    mean: image_mean,
    standardDeviation: image_std,
  };
});

type Size = { resized?: { height: number; width: number }; shortestEdge?: number } | { field: string; problem: string };

/** A size as the processors of `transformers` resize to it. */
function sizeOf(size: unknown, isSquare: boolean): Size {
  if (typeof size === 'object' && size !== null && 'shortest_edge' in size) {
    const { shortest_edge, ...others } = size;
    const [other] = Object.keys(others);
    if (other !== undefined) return { field: `size.${other}`, problem: 'is not supported beside size.shortest_edge' };
    const found = edge.safeParse(shortest_edge);
    return found.success ? { shortestEdge: found.data } : { field: 'size.shortest_edge', problem: 'must be a size' };
  }
  const found = sizeSchema.safeParse(size);
  if (!found.success) {
    return { field: 'size', problem: 'must be a number, height and width, or shortest_edge; no other is supported' };
  }
  return typeof found.data === 'number' && !isSquare ? { shortestEdge: found.data } : { resized: edgesOf(found.data) };
}

function edgesOf(size: z.output<typeof sizeSchema> | null | undefined): { height: number; width: number } {
  if (typeof size === 'number') return { height: size, width: size };
  if (Array.isArray(size)) return { height: size[0], width: size[1] };
  return size as { height: number; width: number };
}

/** The schema for a model of this `model_type`. A null is no default: as in `transformers`, what it is given to isn't done. */
function processorSchema(modelType: string | undefined) {
  return z.preprocess((value) => {
    if (typeof value !== 'object' || value === null) return value;
    const { feature_extractor_type, ...settings } = value as Record<string, unknown>;
    const named = settings.image_processor_type ?? asImageProcessor(feature_extractor_type);
    const name = String(named ?? processorOfModel[modelType ?? ''] ?? '').replace(/Fast$/, '');
    return { ...defaultsOf[name], ...settings, image_processor_type: name };
  }, settingsSchema);
}

function asImageProcessor(featureExtractor: unknown): string | undefined {
  return featureExtractor === undefined
    ? undefined
    : String(featureExtractor).replace('FeatureExtractor', 'ImageProcessor');
}

/** What happens to an image before the vision encoder: its size in pixels, and how values are scaled. */
export type PreprocessorConfig = z.output<typeof settingsSchema>;

/**
 * Reads the `image_processor` of `processor_config.json` or, where that has none, `preprocessor_config.json`. Understood is
 * what `BlipImageProcessor`, `CLIPImageProcessor` and `LlavaImageProcessor` do: pad to a square, resize, crop the center,
 * rescale, normalize.
 *
 * @throws InputError naming the file and the setting that is missing, not known or not supported.
 */
export async function readPreprocessorConfig(directory: string): Promise<PreprocessorConfig> {
  const config = path.join(directory, 'config.json');
  const anyModel = z.looseObject({ model_type: z.string().optional() });
  const { model_type } = (await fileExists(config)) ? await readSettings(config, anyModel) : {};
  const image_processor = processorSchema(model_type);
  const newerFile = path.join(directory, 'processor_config.json');
  if (await fileExists(newerFile)) {
    const newer = onlyKnownFields(
      z.looseObject({ image_processor: image_processor.optional() }),
      withoutEffectOnImages,
    );
    const found = (await readSettings(newerFile, newer)).image_processor;
    if (found !== undefined) return found;
  }
  return readSettings(path.join(directory, 'preprocessor_config.json'), image_processor);
}

/** Whether the directory says anything of an image processor. */
export async function hasPreprocessorConfig(directory: string): Promise<boolean> {
  const files = ['processor_config.json', 'preprocessor_config.json'].map((name) => path.join(directory, name));
  return (await Promise.all(files.map((file) => fileExists(file)))).includes(true);
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
