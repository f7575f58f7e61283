/** The traced graph of LoRA finetuning: frozen language model, trained adapters, AdamW, one step a call. */

import { familyOf, type ModelConfig } from '../../../model/families/index.ts';
import type { ModelDirectory } from '../../../model/files/model-directory.ts';
import { type FlatParameters, flatParameters, unpack } from '../../../model/flat-parameters.ts';
import type { Ops, ProductType } from '../../../model/ops/ops.ts';
import type { InputSpecification } from '../../../model/ops/program.ts';
import { adamScalars, Program } from '../../../model/ops/program.ts';
import { frozen, Tape } from '../../../model/ops/tape.ts';
import type { TypedArray } from '../../../model/ops/tensorflow.ts';
import type { Value } from '../../../model/ops/value.ts';
import type { FinetuneJob, LoraSettings } from '../../protocol.ts';
import type { Batch, BatchShape } from '../batch.ts';
import type { PackedQuestion } from '../evaluate/packed-choices.ts';
import { type ChoiceScorer, traceScorer } from '../evaluate/score-choices.ts';
import { frozenWeights, loadWeights } from '../frozen-weights.ts';
import { adaptedModules, initialLora, loraShapes, traceAdapters, trainedVariables } from './lora.ts';
import { batchInputs, batchLoss } from './loss.ts';
import {
  declareParameters,
  flatGradient,
  OPTIMIZER_STATE,
  optimize,
  SCALARS_INPUT,
  updateParameters,
} from './optimizer.ts';

/** Everything a resumed run needs to be the same run. */
export interface OptimizerState {
  /** Steps done. */
  step: number;
  /** float32 `[total]` each: parameters, first and second moments. */
  arrays: Record<(typeof OPTIMIZER_STATE)[number], Float32Array>;
}

/** A batch, or the part of one that is computed at once. */
export interface BatchPart {
  shape: BatchShape;
  batch: Batch;
  /** float32 `[batch * queries, hidden]` */
  images: Float32Array;
}

export interface FinetuneProgram {
  layout: FlatParameters;
  /** Trains on one batch. `step` counts from 0. Returns the loss before the update. */
  step(input: BatchPart & { step: number; learningRate: number }): number;
  /**
   * Gradient accumulation: adds the gradient of part number `part` (from 0) of the batch of `step`. The parts are
   * collated with the learned tokens of the whole batch, so that their losses, which this returns, add up.
   */
  accumulate(input: BatchPart & { step: number; part: number }): number;
  /** Trains on what was accumulated. */
  update(input: { step: number; learningRate: number }): void;
  /** Losses of a batch of `ranked` questions' choices by the trained model, without dropout; see `ChoiceScorer`. */
  rank: ChoiceScorer['score'];
  read(): OptimizerState['arrays'];
  write(arrays: OptimizerState['arrays']): void;
  dispose(): void;
}

export interface FinetuneProgramSettings
  extends Pick<FinetuneJob, 'weightDecay' | 'seed'>,
    Partial<Pick<FinetuneJob, 'activationCheckpointing' | 'weightDtype' | 'augmentation'>> {
  /** Values by tensor to start from. Default: PEFT's start, at which the adapter changes nothing. */
  start?: ReadonlyMap<string, Float32Array>;
  /** Parts of a batch that are computed one after the other. With more than one, `accumulate` and `update` train. */
  parts?: number;
  /** What matrix products by weights are computed in. */
  productType?: ProductType;
  /** Questions whose choices are ranked in between, in their batches. */
  ranked?: { batches: readonly (readonly PackedQuestion[])[]; batchSize: number } | undefined;
}

const GRADIENT = 'gradient';
const UPDATE = 'update';
/** Zero for the first part of a batch, which drops what the batch before left; one for the others. */
const KEEP_INPUT = { keep: { shape: [], dataType: 'float32' } } as const satisfies Record<string, InputSpecification>;
/** The name of a shape's function. */
export const shapeName = ({ batch, tokens, targets }: BatchShape) => `step-${batch}-${tokens}-${targets}`;

/**
 * Traces and loads the program, with freshly initialized adapters.
 *
 * @param shapes every batch shape that will occur
 */
export async function finetuneProgram(
  model: ModelDirectory,
  lora: LoraSettings,
  shapes: readonly BatchShape[],
  settings: FinetuneProgramSettings,
): Promise<FinetuneProgram> {
  const { parts = 1 } = settings;
  const { program, layout, gradients, scorer } = defineFinetune(model.config, lora, shapes, settings);
  program.load();
  await loadWeights(program, model);

  const write = (arrays: OptimizerState['arrays']) => program.assignAll(new Map(Object.entries(arrays)));
  const parameters = new Float32Array(layout.total);
  let offset = 0;
  for (const [index, values] of initialLora(layout.shapes, settings.seed).entries()) {
    parameters.set(settings.start?.get(layout.names[index] as string) ?? values, offset);
    offset += values.length;
  }
  const [, first, second] = OPTIMIZER_STATE;
  if (gradients) program.assign(GRADIENT, new Float32Array(layout.total));
  write({ parameters, [first]: new Float32Array(layout.total), [second]: new Float32Array(layout.total) });

  const scalarsOf = (step: number, learningRate: number) => adamScalars(step + 1, learningRate, settings.weightDecay);
  /** Every part of every step draws its own. */
  const dropoutSeed = (step: number, part: number) =>
    Int32Array.of(settings.seed, (step * parts + part) * layout.names.length);
  const lossOf = (shape: BatchShape, inputs: Record<string, TypedArray>) =>
    program.run(shapeName(shape), inputs).loss?.[0] as number;

  return {
    layout,
    step: ({ shape, batch, images, step, learningRate }) =>
      lossOf(shape, {
        ...batch,
        images,
        scalars: scalarsOf(step, learningRate),
        dropoutSeed: dropoutSeed(step, 0),
      }),
    accumulate: ({ shape, batch, images, step, part }) =>
      lossOf(shape, {
        ...batch,
        images,
        keep: Float32Array.of(part === 0 ? 0 : 1),
        dropoutSeed: dropoutSeed(step, part),
      }),
    update: ({ step, learningRate }) => {
      program.run(UPDATE, { scalars: scalarsOf(step, learningRate) });
    },
    rank: (questions, images) => {
      if (!scorer) throw new Error('the program was traced without questions to rank');
      return scorer.score(questions, images);
    },
    read: () =>
      Object.fromEntries(OPTIMIZER_STATE.map((name) => [name, program.read(name)])) as OptimizerState['arrays'],
    write,
    dispose: () => program.dispose(),
  };
}

/**
 * Traces the program without TensorFlow.
 */
export function defineFinetune(
  config: ModelConfig,
  lora: LoraSettings,
  shapes: readonly BatchShape[],
  settings: FinetuneProgramSettings,
): {
  program: Program;
  layout: FlatParameters;
  gradients: Value | undefined;
  scorer: ChoiceScorer | undefined;
} {
  const layout = flatParameters(loraShapes(adaptedModules(config, lora.targetModules), lora.rank));
  const { parts = 1, activationCheckpointing, productType, weightDtype, ranked } = settings;
  const program = new Program({ productType });
  const flat = declareParameters(program, layout);
  const gradients = parts > 1 ? program.variable(GRADIENT, [layout.total]) : undefined;
  const weights = frozenWeights(
    program,
    { shapes: familyOf(config).expectedTensors() },
    {
      weightDtype,
      use: 'forward and backward',
    },
  );
  const hidden = config.text_config.hidden_size;

  for (const shape of new Map(shapes.map((shape) => [shapeName(shape), shape])).values()) {
    const inputs = {
      ...batchInputs(shape),
      dropoutSeed: { shape: [2], dataType: 'int32' },
      images: { shape: [shape.batch * familyOf(config).imageTokens, hidden], dataType: 'float32' },
    } as const satisfies Record<string, InputSpecification>;
    const traceLoss = (ops: Ops, values: Record<keyof typeof inputs, Value>) => {
      const tape = new Tape(ops);
      const variables = trainedVariables(unpack(ops, layout, flat));
      const adapters = traceAdapters(ops, variables, lora, values.dropoutSeed);
      const images = frozen(values.images);
      const loss = batchLoss(tape, weights, config, shape, values, images, adapters, activationCheckpointing);
      return { tape, loss, trained: [...variables.values()] };
    };
    if (gradients) {
      program.define(shapeName(shape), { ...inputs, ...KEEP_INPUT }, (ops, values, update) => {
        const { tape, loss, trained } = traceLoss(ops, values);
        const kept = ops.multiply(gradients, values.keep);
        update.assign(GRADIENT, ops.add(kept, flatGradient(tape, loss, trained)));
        return { loss: loss.value };
      });
    } else {
      program.define(shapeName(shape), { ...inputs, ...SCALARS_INPUT }, (ops, values, update) => {
        const { tape, loss, trained } = traceLoss(ops, values);
        optimize(tape, update, loss, trained, values.scalars);
        return { loss: loss.value };
      });
    }
  }
  if (gradients) {
    program.define(UPDATE, SCALARS_INPUT, (ops, { scalars }, update) => {
      updateParameters(ops, update, gradients, scalars);
      return { done: ops.scalar(1) };
    });
  }
  const trained = (ops: Ops) =>
    traceAdapters(ops, trainedVariables(unpack(ops, layout, flat)), { ...lora, dropout: 0 });
  const scorer = ranked && traceScorer(program, weights, config, ranked.batches, ranked.batchSize, trained);
  return { program, layout, gradients, scorer };
}
