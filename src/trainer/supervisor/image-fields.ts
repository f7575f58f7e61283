/**
 * How `model.image` is written in the files of `transformers` 5.23: in which fields of a processor, and of a model's config. A
 * family is held to the limits that its own processor has, by that processor's names.
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { ImageLimits } from '../../config/image-schema.ts';
import { fileExists } from '../../core/files.ts';
import { InputError } from '../../core/input-error.ts';
import { readSettings } from '../../core/read-json.ts';
import type { ImageFields } from '../protocol.ts';

type Limit = keyof ImageLimits;

/** What a model's files say, as far as limits depend on it. */
interface ModelFiles {
  processor: z.output<typeof processorSchema>;
  config: z.output<typeof configSchema>;
}

interface Family {
  title: string;
  limits: readonly Limit[];
  /** @throws Refused for a limit that the model can't have */
  fields(limits: ImageLimits, files: ModelFiles): ImageFields;
}

class Refused extends Error {
  readonly limit: Limit;
  readonly remedy: string;
  constructor(limit: Limit, problem: string, remedy: string) {
    super(problem);
    this.limit = limit;
    this.remedy = remedy;
  }
}

const side = z.number().positive();
const sizeSchema = z.union([
  side,
  z.looseObject({
    height: side.nullish(),
    width: side.nullish(),
    shortest_edge: side.nullish(),
    longest_edge: side.nullish(),
    min_pixels: side.nullish(),
    max_pixels: side.nullish(),
  }),
]);
const processorSchema = z.looseObject({
  size: sizeSchema.nullish(),
  crop_size: sizeSchema.nullish(),
  max_image_size: sizeSchema.nullish(),
  patch_size: side.nullish(),
  merge_size: side.nullish(),
  temporal_patch_size: side.nullish(),
  min_pixels: side.nullish(),
  max_pixels: side.nullish(),
  min_patches: side.nullish(),
  max_patches: side.nullish(),
});
const configSchema = z.looseObject({
  model_type: z.string(),
  vision_config: z.looseObject({ image_size: z.unknown().optional() }).nullish(),
});

const edges = (size: ModelFiles['processor']['size']) => (typeof size === 'object' && size !== null ? size : {});

/** Refuses a pair of limits of which one is the config's and the other the model's own. */
function inOrder(least: [Limit, number], most: [Limit, number], limits: ImageLimits): void {
  if (least[1] <= most[1]) return;
  const [given, own, name] = limits[least[0]] === undefined ? [most, least[1], least[0]] : [least, most[1], most[0]];
  const problem = `is ${given[1]}, and ${name} of the model is ${own}`;
  throw new Refused(given[0], problem, `Set model.image.${name} too`);
}

/**
 * Pixels after resizing, both sides multiples of a patch (`smart_resize`). `size` has them by the names of edges, `min_pixels`
 * and `max_pixels` are read by earlier versions and go before `size` where both stand.
 *
 * @param defaults of a processor whose file says nothing
 * @param alsoByName whether the processor knows `min_pixels` and `max_pixels`
 */
function pixels(title: string, defaults: { least: number; most: number; patch: number }, alsoByName: boolean): Family {
  return {
    title,
    limits: ['minPixels', 'maxPixels'],
    fields: (limits, { processor }) => {
      // GLM-4V counts an image as the frames that are taken together.
      const frames = alsoByName ? 1 : (processor.temporal_patch_size ?? 2);
      const { shortest_edge, longest_edge, min_pixels, max_pixels } = edges(processor.size);
      const named = alsoByName ? [processor.min_pixels ?? min_pixels, processor.max_pixels ?? max_pixels] : [];
      const own = {
        least: named[0] ?? shortest_edge ?? defaults.least,
        most: named[1] ?? longest_edge ?? defaults.most,
      };
      const least = limits.minPixels === undefined ? own.least : limits.minPixels * frames;
      const most = limits.maxPixels === undefined ? own.most : limits.maxPixels * frames;
      inOrder(['minPixels', least / frames], ['maxPixels', most / frames], limits);
      const patch = (processor.patch_size ?? defaults.patch) * (processor.merge_size ?? 2);
      if (limits.maxPixels !== undefined && limits.maxPixels < patch ** 2) {
        const problem = `is ${limits.maxPixels}, less than the ${patch ** 2} pixels of one token`;
        throw new Refused('maxPixels', problem, 'Raise it');
      }
      const size = { shortest_edge: least, longest_edge: most };
      return { processor: { size, ...(alsoByName && { min_pixels: least, max_pixels: most }) } };
    },
  };
}

/** `GotOcr2ImageProcessor`, which InternVL's own processor always has cut images into tiles. */
const tiles: Family = {
  title: 'InternVL',
  limits: ['minPatches', 'maxPatches'],
  fields: (limits, { processor }) => {
    const min_patches = limits.minPatches ?? processor.min_patches ?? 1;
    const max_patches = limits.maxPatches ?? processor.max_patches ?? 12;
    inOrder(['minPatches', min_patches], ['maxPatches', max_patches], limits);
    return { processor: { min_patches, max_patches } };
  },
};

/** `Idefics2ImageProcessor`: sides stay as they are between the two. */
const bothEdges: Family = {
  title: 'Idefics 2',
  limits: ['shortestEdge', 'longestEdge'],
  fields: (limits, { processor, config }) => {
    const own = edges(processor.size);
    const shortest_edge = limits.shortestEdge ?? own.shortest_edge ?? 378;
    const longest_edge = limits.longestEdge ?? own.longest_edge ?? 980;
    inOrder(['shortestEdge', shortest_edge], ['longestEdge', longest_edge], limits);
    const most = config.vision_config?.image_size;
    if (typeof most === 'number' && longest_edge > most && limits.longestEdge !== undefined) {
      throw new Refused('longestEdge', `is ${longest_edge}, and the vision side takes ${most} at most`, 'Lower it');
    }
    return { processor: { size: { shortest_edge, longest_edge } } };
  },
};

/** As many rows and columns of tiles have tokens of their own (`Idefics3Processor`). */
const mostTilesOfASide = 6;

/** Idefics 3's processor and SmolVLM's, which bring every image to this length and cut it into tiles. */
function longestEdge(title: string): Family {
  return {
    title,
    limits: ['longestEdge'],
    fields: ({ longestEdge: edge = 0 }, { processor }) => {
      const tile = edges(processor.max_image_size).longest_edge ?? 364;
      if (Math.ceil(edge / tile) > mostTilesOfASide) {
        const problem = `is ${edge}: a side would have more than the ${mostTilesOfASide} tiles of ${tile} pixels that have tokens`;
        throw new Refused('longestEdge', problem, `Set at most ${mostTilesOfASide * tile}`);
      }
      return { processor: { size: { longest_edge: edge } } };
    },
  };
}

/** Processors that choose the best of some sizes; the model's config has them too. */
function pinpoints(title: string): Family {
  return {
    title,
    limits: ['imageGridPinpoints'],
    fields: ({ imageGridPinpoints: image_grid_pinpoints = [] }, { processor }) => {
      const { crop_size, size } = processor;
      const tile =
        (typeof crop_size === 'number' ? crop_size : edges(crop_size).height) ??
        edges(size).height ??
        edges(size).shortest_edge;
      const wrong = image_grid_pinpoints.flat().find((edge) => tile && edge % tile !== 0);
      if (wrong !== undefined) {
        throw new Refused('imageGridPinpoints', `has ${wrong}, no multiple of a tile's ${tile} pixels`, 'Correct it');
      }
      return { processor: { image_grid_pinpoints }, model: { image_grid_pinpoints } };
    },
  };
}

const none = (title: string, reason: string) => ({ title, reason });
const oneSize = 'brings every image to one size';

/** By `model_type`; see `CHECKED` of src/trainer/torch/processors.py. */
const families: Record<string, Family | ReturnType<typeof none>> = {
  'blip-2': none('MiniGPT-4', oneSize),
  deepseek_vl: none('DeepSeek-VL', oneSize),
  gemma3: none('Gemma 3', `${oneSize}, as its processor has pan and scan off whatever the model's files say`),
  glm4v: pixels('GLM-4V', { least: 112 ** 2, most: 28 ** 2 * 15_000, patch: 14 }, false),
  idefics2: bothEdges,
  idefics3: longestEdge('Idefics 3'),
  internvl: tiles,
  llava: none('LLaVA-1.5', oneSize),
  llava_next: pinpoints('LLaVA-NeXT'),
  llava_next_video: pinpoints('LLaVA-NeXT-Video'),
  llava_onevision: pinpoints('LLaVA-OneVision'),
  mllama: none('Mllama', 'has weights for each way to lay out its tiles, so that their number is fixed'),
  paligemma: none('PaliGemma', oneSize),
  qwen2_5_vl: pixels('Qwen2.5-VL', { least: 56 ** 2, most: 28 ** 2 * 1280, patch: 14 }, true),
  qwen3_vl: pixels('Qwen3-VL', { least: 56 ** 2, most: 28 ** 2 * 1280, patch: 14 }, true),
  smolvlm: longestEdge('SmolVLM'),
  video_llava: none('Video-LLaVA', oneSize),
  vipllava: none('VipLLaVA', oneSize),
};

/**
 * The fields that the limits are in a model's files.
 *
 * @param directory the model's
 * @throws InputError for a limit that the model's family has not, or that this model can't have
 */
export async function imageFields(directory: string, limits: ImageLimits): Promise<ImageFields | undefined> {
  const given = (Object.keys(limits) as Limit[]).filter((limit) => limits[limit] !== undefined);
  if (given.length === 0) return undefined;
  const files = await readFiles(directory);
  const refuse = (limit: Limit | undefined, problem: string, remedy: string) =>
    new InputError({ file: directory, field: limit ? `model.image.${limit}` : 'model.image', problem, remedy });
  const family = families[files.config.model_type];
  if (family === undefined) {
    throw refuse(undefined, `is not known for models of model_type ${files.config.model_type}`, 'Remove model.image');
  }
  if ('reason' in family)
    throw refuse(given[0], `can't be set: ${family.title} ${family.reason}`, 'Remove model.image');
  const names = family.limits.map((limit) => `model.image.${limit}`).join(' or ');
  const foreign = given.find((limit) => !family.limits.includes(limit));
  if (foreign) throw refuse(foreign, `is no limit of ${family.title}`, `Set ${names} instead`);
  try {
    return family.fields(limits, files);
  } catch (error) {
    if (error instanceof Refused) throw refuse(error.limit, error.message, error.remedy);
    throw error;
  }
}

/** As `AutoImageProcessor` reads them: `processor_config.json` first, if it has an image processor. */
async function readFiles(directory: string): Promise<ModelFiles> {
  const config = await readSettings(join(directory, 'config.json'), configSchema);
  const newer = join(directory, 'processor_config.json');
  if (await fileExists(newer)) {
    const { image_processor } = await readSettings(
      newer,
      z.looseObject({ image_processor: processorSchema.optional() }),
    );
    if (image_processor) return { config, processor: image_processor };
  }
  return { config, processor: await readSettings(join(directory, 'preprocessor_config.json'), processorSchema) };
}
