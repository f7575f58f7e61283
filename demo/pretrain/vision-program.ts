/**
 * Vision pretraining: encoder and Q-Former learn which object is where, before any text.
 *
 * It replaces what MiniGPT-4 takes from other models, EVA's pretrained encoder and BLIP-2's first stage: every patch
 * predicts the object it shows, as many queries as there are places the content of each, and one more the labels of the
 * whole image. The classifiers are discarded afterwards.
 */

import { familyOf } from '../../src/model/families/index.ts';
import type { Blip2Config } from '../../src/model/families/minigpt4/config.ts';
import { queryTransformer } from '../../src/model/families/minigpt4/query-transformer.ts';
import { visionEncoder } from '../../src/model/families/minigpt4/vision-encoder.ts';
import { type FlatParameters, flatParameters, unpack, viewsOf } from '../../src/model/flat-parameters.ts';
import { crossEntropy } from '../../src/model/layers/cross-entropy.ts';
import { gatherRows } from '../../src/model/layers/embedding.ts';
import { add, linear } from '../../src/model/layers/linear.ts';
import { adamScalars } from '../../src/model/ops/adam.ts';
import type { Ops } from '../../src/model/ops/ops.ts';
import { type InputSpecification, Program } from '../../src/model/ops/program.ts';
import { Tape, type Variable } from '../../src/model/ops/tape.ts';
import type { Value } from '../../src/model/ops/value.ts';
import { trainedVariables } from '../../src/trainer/jobs/finetune/lora.ts';
import {
  declareParameters,
  OPTIMIZER_STATE,
  optimize,
  SCALARS_INPUT,
} from '../../src/trainer/jobs/finetune/optimizer.ts';
import type { Labels, VisionTargets } from './domain.ts';
import { initialParameters } from './initial-parameters.ts';

const MAXIMUM_GRADIENT_NORM = 1;

/** Tensors that vision pretraining trains, classifiers included. */
function visionLayout<Scene>(
  config: Blip2Config,
  { objectClasses, imageClasses }: VisionTargets<Scene>,
): FlatParameters {
  const shapes = new Map<string, readonly number[]>();
  for (const [name, shape] of familyOf(config).expectedTensors()) {
    if (/^(vision_model|query_tokens|qformer)/.test(name)) shapes.set(name, shape);
  }
  const head = (name: string, classes: number, inputSize: number) => {
    shapes.set(`${name}.weight`, [classes, inputSize]);
    shapes.set(`${name}.bias`, [classes]);
  };
  const { vision_config: vision, qformer_config: queries } = config;
  for (const [label, classes] of Object.entries(objectClasses)) {
    head(`patch.${label}`, classes, vision.hidden_size);
    head(`place.${label}`, classes, queries.hidden_size);
  }
  for (const [label, classes] of Object.entries(imageClasses)) head(`image.${label}`, classes, queries.hidden_size);
  return flatParameters(shapes);
}

export interface VisionProgram<Scene> {
  step(input: {
    scenes: readonly Scene[];
    /** float32 `[batch, 3, size, size]` */
    pixels: Float32Array;
    step: number;
    learningRate: number;
    weightDecay: number;
  }): { loss: number; placeLoss: number };
  /** The trained tensors by name. */
  tensors(): Map<string, Float32Array>;
  dispose(): void;
}

/** Traces and loads the program for one batch size. */
export function visionProgram<Scene>(
  targets: VisionTargets<Scene>,
  config: Blip2Config,
  batch: number,
  seed: number,
): VisionProgram<Scene> {
  const { objectClasses, imageClasses, places, placeLabels, patchLabels, imageLabels } = targets;
  const objectLabels = Object.keys(objectClasses);
  const wholeLabels = Object.keys(imageClasses);
  const layout = visionLayout(config, targets);
  const program = new Program({ productType: 'bfloat16' });
  const flat = declareParameters(program, layout);
  const side = config.vision_config.image_size;
  const perSide = side / config.vision_config.patch_size;
  const patches = perSide ** 2;
  const int32 = (length: number) => ({ shape: [length], dataType: 'int32' }) as const;
  const inputs: Record<string, InputSpecification> = {
    ...SCALARS_INPUT,
    pixels: { shape: [batch, 3, side, side], dataType: 'float32' },
  };
  for (const label of objectLabels) {
    inputs[`patch.${label}`] = int32(batch * patches);
    inputs[`place.${label}`] = int32(batch * places);
  }
  inputs.patchWeights = { shape: [batch * patches], dataType: 'float32' };
  inputs.placeWeights = { shape: [batch * places], dataType: 'float32' };
  inputs.imageWeights = { shape: [batch], dataType: 'float32' };
  for (const label of wholeLabels) inputs[`image.${label}`] = int32(batch);

  program.define('step', inputs, (ops, values, update) => {
    const tape = new Tape(ops);
    const variables = trainedVariables(unpack(ops, layout, flat));
    const weights = (name: string) => variables.get(name) as Variable;
    const visionFeatures = visionEncoder(tape, weights, config, values.pixels as Value);
    const queryFeatures = queryTransformer(tape, weights, config, visionFeatures, batch);
    const rowsOf = (x: Variable, perImage: number, from: number, count: number) =>
      gatherRows(tape, x, rows(ops, batch, perImage, from, count));
    const classified = (x: Variable, part: 'patch' | 'place' | 'image', label: string) => {
      const name = `${part}.${label}`;
      const logits = linear(tape, x, weights(`${name}.weight`), weights(`${name}.bias`));
      return crossEntropy(tape, logits, values[name] as Value, values[`${part}Weights`] as Value);
    };

    const patchRows = rowsOf(visionFeatures, patches + 1, 1, patches);
    const placeRows = rowsOf(queryFeatures, config.num_query_tokens, 0, places);
    const imageRows = rowsOf(queryFeatures, config.num_query_tokens, places, 1);
    const sum = (losses: Variable[]) => losses.reduce((total, loss) => add(tape, total, loss));
    const patchLoss = sum(objectLabels.map((label) => classified(patchRows, 'patch', label)));
    const placeLoss = sum(objectLabels.map((label) => classified(placeRows, 'place', label)));
    const imageLoss = sum(wholeLabels.map((label) => classified(imageRows, 'image', label)));
    const loss = sum([patchLoss, placeLoss, imageLoss]);
    optimize(tape, update, loss, [...variables.values()], values.scalars as Value, {
      maximumNorm: MAXIMUM_GRADIENT_NORM,
    });
    return { loss: loss.value, placeLoss: placeLoss.value };
  });
  program.load();
  const [, first, second] = OPTIMIZER_STATE;
  program.assign('parameters', initialParameters(config, layout, seed, knownPositions(config)));
  program.assign(first, new Float32Array(layout.total));
  program.assign(second, new Float32Array(layout.total));

  return {
    step: ({ scenes, pixels, step, learningRate, weightDecay }) => {
      const labels: Record<string, Int32Array | Float32Array> = {};
      for (const label of objectLabels) {
        const ofEach = (all: readonly Labels[]) => all.map((each) => each[label] as number);
        labels[`patch.${label}`] = Int32Array.from(scenes.flatMap((scene) => ofEach(patchLabels(scene, perSide))));
        labels[`place.${label}`] = Int32Array.from(scenes.flatMap((scene) => ofEach(placeLabels(scene))));
      }
      for (const label of wholeLabels) {
        labels[`image.${label}`] = Int32Array.from(scenes, (scene) => imageLabels(scene)[label] as number);
      }
      const [first, classes] = Object.entries(objectClasses)[0] as [string, number];
      for (const part of ['patch', 'place']) {
        labels[`${part}Weights`] = balancedWeights(labels[`${part}.${first}`] as Int32Array, classes - 1);
      }
      labels.imageWeights = new Float32Array(batch).fill(1 / batch);
      const scalars = adamScalars(step + 1, learningRate, weightDecay);
      const { loss, placeLoss } = program.run('step', { ...labels, pixels, scalars });
      return { loss: loss?.[0] as number, placeLoss: placeLoss?.[0] as number };
    },
    tensors: () => viewsOf(layout, program.read('parameters')),
    dispose: () => program.dispose(),
  };
}

/** Rows `from` to `from + count` of every image's `perImage` rows. */
function rows(ops: Ops, batch: number, perImage: number, from: number, count: number): Value {
  const indices = Int32Array.from(
    { length: batch * count },
    (_, index) => Math.floor(index / count) * perImage + from + (index % count),
  );
  return ops.constant(indices, [indices.length]);
}

/**
 * Positions start as sines and cosines of column and row (MAE, arXiv 2111.06377): queries then find places by
 * them long before learned ones would differ.
 */
function knownPositions(config: Blip2Config): Map<string, Float32Array> {
  const { hidden_size: hidden, image_size: side, patch_size: patch } = config.vision_config;
  const perSide = side / patch;
  const quarter = hidden / 4;
  const values = new Float32Array((perSide ** 2 + 1) * hidden);
  for (let place = 0; place < perSide ** 2; place++) {
    const start = (place + 1) * hidden;
    for (let index = 0; index < quarter; index++) {
      const frequency = 100 ** (-index / quarter);
      const column = (place % perSide) * frequency;
      const row = Math.floor(place / perSide) * frequency;
      [Math.sin(column), Math.cos(column), Math.sin(row), Math.cos(row)].forEach((value, part) => {
        values[start + part * quarter + index] = value * POSITION_SCALE;
      });
    }
  }
  return new Map([['vision_model.embeddings.position_embedding', values]]);
}

const POSITION_SCALE = 0.5;

/** Most patches and places show nothing; without this they would dominate the loss. */
const WEIGHT_OF_NOTHING = 0.1;

/** Weights that sum to one, with less for what shows no object. */
function balancedWeights(classes: Int32Array, nothing: number): Float32Array {
  const weights = Float32Array.from(classes, (each) => (each === nothing ? WEIGHT_OF_NOTHING : 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
