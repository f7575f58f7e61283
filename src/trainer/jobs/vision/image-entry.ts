/** Where images enter the training step, and what of the model is computed there: what is trained, and all behind it. */
import type { ImageEntry } from '../../../config/lora-schema.ts';
import { familyOf, imageEmbeddings, type ModelConfig } from '../../../model/families/index.ts';
import { linear } from '../../../model/layers/linear.ts';
import { Program } from '../../../model/ops/program.ts';
import { frozen, Tape, type Variable, type Weights } from '../../../model/ops/tape.ts';
import type { Value } from '../../../model/ops/value.ts';
import { frozenWeights } from '../frozen-weights.ts';

/** A linear layer: its name in the base model and the size of its weight. */
export interface AdaptedModule {
  name: string;
  inputSize: number;
  outputSize: number;
}

/** What a part of the model computes with. */
interface Part {
  /** Its linear layers, in the order of their use; those that nothing is read of are not among them. */
  layers: AdaptedModule[];
  /** Names and shapes of all its weights. */
  weights: Map<string, readonly number[]>;
  /** Of its result, for one image. */
  shape: readonly number[];
}

/** What the vision side and the projection of a model consist of, by what its family computes. */
export function imageParts(config: ModelConfig): { vision: Part; projection: Part } {
  const family = familyOf(config);
  const { imageSize } = family;
  const vision = partOf(config, [1, 3, imageSize, imageSize], family.visionFeatures);
  const projection = partOf(config, vision.shape, (tape, weights, rows) => family.project(tape, weights, frozen(rows)));
  return { vision, projection };
}

function partOf(
  config: ModelConfig,
  inputShape: readonly number[],
  compute: (tape: Tape, weights: Weights, input: Value) => Variable,
): Part {
  const shapes = familyOf(config).expectedTensors();
  const program = new Program();
  const base = frozenWeights(program, { shapes }, { use: 'forward' });
  const [layers, used] = [new Map<string, AdaptedModule>(), new Map<string, readonly number[]>()];
  const weights: Weights = (name) => {
    const weight = base(name);
    used.set(name, weight.value.shape);
    return {
      ...weight,
      throughAdapter: (tape, x, bias) => {
        const module = name.replace(/\.weight$/, '');
        const [outputSize, inputSize] = weight.value.shape as [number, number];
        layers.set(module, { name: module, inputSize, outputSize });
        return linear(tape, x, weight, bias);
      },
    };
  };
  let shape: readonly number[] = [];
  program.define('part', { input: { shape: inputShape, dataType: 'float32' } }, (ops, { input }) => {
    const rows = compute(new Tape(ops), weights, input).value;
    shape = rows.shape;
    return { rows };
  });
  return { layers: [...layers.values()], weights: used, shape };
}

/** How images enter a traced step. */
export interface EnteredImages {
  /** Of what is entered for so many images. */
  shape(images: number): number[];
  /** What the language model is given for them. */
  embed(tape: Tape, weights: Weights, entered: Value): Variable;
}

export function enteredImages(config: ModelConfig, entry: ImageEntry): EnteredImages {
  const family = familyOf(config);
  const { imageTokens, imageSize } = family;
  if (entry === 'embeddings') {
    return {
      shape: (images) => [images * imageTokens, config.text_config.hidden_size],
      embed: (_tape, _weights, entered) => frozen(entered),
    };
  }
  if (entry === 'features') {
    const width = imageParts(config).vision.shape.at(-1) as number;
    return {
      shape: (images) => [images * imageTokens, width],
      embed: (tape, weights, entered) => family.project(tape, weights, frozen(entered)),
    };
  }
  return {
    shape: (images) => [images, 3, imageSize, imageSize],
    embed: (tape, weights, entered) => imageEmbeddings(family, tape, weights, entered),
  };
}
