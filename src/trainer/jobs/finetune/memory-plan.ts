/** The memory that a finetune needs on its device, estimated from config and traced graphs before anything is loaded. */
import { type ImageEntry, imageEntryOf } from '../../../config/lora-schema.ts';
import { familyOf, type ModelConfig } from '../../../model/families/index.ts';
import { Program } from '../../../model/ops/program.ts';
import { frozen, Tape } from '../../../model/ops/tape.ts';
import { sizeOf } from '../../../model/ops/value.ts';
import type { LoraSettings } from '../../protocol.ts';
import type { BatchShape } from '../batch.ts';
import { frozenWeights } from '../frozen-weights.ts';
import { IMAGE_BATCH } from '../vision/image-features.ts';
import { defineFinetune, type FinetuneProgramSettings, pairsName, shapeName } from './finetune-program.ts';
import { OPTIMIZER_STATE } from './optimizer.ts';

export interface MemoryPlan {
  /** Bytes of the frozen weights that training needs: the language model's, and of what images are computed with in each step. */
  weights: number;
  /** Bytes of the trained adapters. */
  adapters: number;
  /** Bytes of AdamW's two moments, and of the gradients that are summed over the parts of a batch. */
  optimizer: number;
  /** Bytes of what one training step, or its pairs, hold at once: activations, gradients, weights widened or narrowed for use. */
  activations: number;
  /** Bytes of the projection's weights, which embed each batch's images; 0 where that is part of the step. */
  projection: number;
  /** Bytes of the vision side while it computes the images, before training; then it is freed. 0 where it is trained. */
  images: number;
  /** The larger of the two: training, or computing the images; their sum where images are augmented in each step. */
  peak: number;
  /** Tensors' values of the language model, and of the adapters. */
  parameters: { weights: number; adapters: number };
}

const TOKEN_STEP = 16;
/** At most so many tokens are the words before a question: `finetune.maximumTokens` does not count them. */
const WORDS_BEFORE = 16;

/** The shape of a batch of samples that are as long as they may be: at worst all of the text but a few words is answer. */
export function longestShape(limits: {
  microBatchSize: number;
  maximumTokens: number;
  maximumSequence?: number | undefined;
  imageTokens: number;
}): BatchShape {
  const { microBatchSize, maximumTokens, maximumSequence = Number.POSITIVE_INFINITY, imageTokens } = limits;
  const roundUp = (value: number) => Math.ceil(value / TOKEN_STEP) * TOKEN_STEP;
  return {
    batch: microBatchSize,
    tokens: roundUp(Math.min(maximumTokens + WORDS_BEFORE + imageTokens, maximumSequence)),
    targets: roundUp(maximumTokens),
  };
}

/**
 * @param shape of the largest part of a batch that is computed at once
 * @example
 * planMemory(config, lora, { batch: 4, tokens: 192, targets: 64 }, { weightDecay: 0, seed: 1, parts: 16 }).peak;
 */
export function planMemory(
  config: ModelConfig,
  lora: LoraSettings,
  shape: BatchShape,
  settings: FinetuneProgramSettings,
): MemoryPlan {
  const { program, layout } = defineFinetune(config, lora, [shape], settings);
  const sizes = program.variableBytes();
  const names = familyOf(config).expectedTensors();
  const weights = sum([...sizes].flatMap(([name, bytes]) => (names.has(name) ? [bytes] : [])));
  const [parameters] = OPTIMIZER_STATE;
  const adapters = sizes.get(parameters) ?? 0;
  const optimizer = sum([...sizes.values()]) - weights - adapters;
  const functions = [shapeName(shape), ...(settings.pairs?.shapes ?? []).map(pairsName)];
  const activations = Math.max(...functions.map((name) => program.workingBytes(name)));
  const entry = imageEntryOf({ lora, trainable: settings.trainable });
  const { projection, images } = imageBytes(config, entry);
  const training = weights + adapters + optimizer + activations + projection;
  const used = [...names].filter(([name]) => sizes.has(name));
  return {
    weights,
    adapters,
    optimizer,
    activations,
    projection,
    images,
    peak:
      settings.augmentation === 'random-resized-crop' && entry !== 'pixels'
        ? training + images
        : Math.max(training, images),
    parameters: { weights: sum(used.map(([, tensor]) => sizeOf(tensor))), adapters: layout.total },
  };
}

function imageBytes(config: ModelConfig, entry: ImageEntry): { projection: number; images: number } {
  if (entry === 'pixels') return { projection: 0, images: 0 };
  const family = familyOf(config);
  const weightBytes = (program: Program) => sum([...program.variableBytes().values()]);
  const shapes = familyOf(config).expectedTensors();
  const vision = new Program();
  const projection = new Program();
  const { imageSize } = family;
  const pixels = { shape: [IMAGE_BATCH, 3, imageSize, imageSize], dataType: 'float32' } as const;
  let features: readonly number[] = [];
  vision.define('vision', { pixels }, (ops, inputs) => {
    const rows = family.visionFeatures(
      new Tape(ops),
      frozenWeights(vision, { shapes }, { use: 'forward' }),
      inputs.pixels,
    ).value;
    features = rows.shape;
    return { rows };
  });
  projection.define('projection', { features: { shape: features, dataType: 'float32' } }, (ops, inputs) => ({
    rows: family.project(
      new Tape(ops),
      frozenWeights(projection, { shapes }, { use: 'forward' }),
      frozen(inputs.features),
    ).value,
  }));
  const ofProjection = entry === 'embeddings' ? weightBytes(projection) : 0;
  return { projection: ofProjection, images: weightBytes(vision) + vision.workingBytes('vision') };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
