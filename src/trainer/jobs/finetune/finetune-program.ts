/** The traced graph of LoRA finetuning: frozen language model, trained adapters, AdamW, one step a call. */

import { imageEntryOf } from '../../../config/lora-schema.ts';
import { familyOf, type ModelConfig } from '../../../model/families/index.ts';
import type { ModelDirectory } from '../../../model/files/model-directory.ts';
import { type FlatParameters, flatParameters, unpack, viewsOf } from '../../../model/flat-parameters.ts';
import type { Adapters } from '../../../model/llama.ts';
import { adamScalars } from '../../../model/ops/adam.ts';
import type { Ops, ProductType } from '../../../model/ops/ops.ts';
import type { InputSpecification } from '../../../model/ops/program.ts';
import { Program } from '../../../model/ops/program.ts';
import { Tape, type Weights } from '../../../model/ops/tape.ts';
import type { TypedArray } from '../../../model/ops/tensorflow.ts';
import type { Value } from '../../../model/ops/value.ts';
import type { FinetuneJob, LoraSettings } from '../../protocol.ts';
import { type Batch, type BatchShape, imagesIn } from '../batch.ts';
import type { PackedQuestion } from '../evaluate/packed-choices.ts';
import { type ChoiceScorer, traceScorer } from '../evaluate/score-choices.ts';
import { frozenWeights, loadWeights } from '../frozen-weights.ts';
import { enteredImages } from '../vision/image-entry.ts';
import {
  partsOfTrained,
  traceAdapters,
  trainedShapes,
  trainedVariables,
  trainedWeights,
  untrainedParameters,
} from './lora.ts';
import { batchInputs, batchLogits, batchLoss } from './loss.ts';
import {
  declareParameters,
  flatGradient,
  OPTIMIZER_STATE,
  optimize,
  RATE_FACTORS,
  rateFactors,
  SCALARS_INPUT,
  updateParameters,
} from './optimizer.ts';
import { answerLogProbabilities, type PreferenceLossSettings, preferenceLoss } from './preference-loss.ts';

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
  /** What is entered for images, float32, see `EnteredImages`. */
  images: Float32Array;
}

/** Preference pairs, or those of a step that are computed at once: a batch of all chosen answers, then of all rejected ones. */
export interface PairPart extends BatchPart {
  /** float32 `[pairs]`: by how much the reference finds the chosen answer likelier, as a log probability. */
  reference: Float32Array;
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
  /** The norm of the last update's gradient before it was shortened; only with `maximumGradientNorm`. */
  gradientNorm(): number | undefined;
  /** Trains on what was accumulated. */
  update(input: { step: number; learningRate: number }): void;
  /**
   * As `accumulate`, of a part of a step's preference pairs; its parts are numbered behind those of samples.
   *
   * @returns its share of the pairs' loss, and the log probabilities of its answers, float32 `[2 * pairs]`
   */
  accumulatePairs(input: PairPart & { step: number; part: number }): { loss: number; logProbabilities: Float32Array };
  /** Log probabilities of the answers of a part's pairs, as they are without dropout. */
  logProbabilities(input: BatchPart): Float32Array;
  /** The loss of a part of a batch of one of `lossShapes`, by the trained model, without dropout. */
  lossOf(input: BatchPart): number;
  /** Losses of a batch of `ranked` questions' choices by the trained model, without dropout; see `ChoiceScorer`. */
  rank: ChoiceScorer['score'];
  /** The parameters that training starts from without an adapter, float32 `[total]`: they change nothing of the base model. */
  untrained: Float32Array;
  read(): OptimizerState['arrays'];
  write(arrays: OptimizerState['arrays']): void;
  dispose(): void;
}

export interface FinetuneProgramSettings
  extends Pick<FinetuneJob, 'weightDecay' | 'seed'>,
    Partial<
      Pick<
        FinetuneJob,
        'activationCheckpointing' | 'weightDtype' | 'augmentation' | 'adam' | 'maximumGradientNorm' | 'trainable'
      >
    > {
  /** What the learning rates of parts of what is trained are multiplied by, see `rateFactor`. Default: all by one. */
  rateFactors?: FinetuneJob['learningRate']['byPart'];
  /** Values by tensor to start from. Default: PEFT's start, at which the adapter changes nothing. */
  start?: ReadonlyMap<string, Float32Array>;
  /** Parts of a batch that are computed one after the other. With more than one, `accumulate` and `update` train. */
  parts?: number;
  /** Preference pairs: the shapes of their batches. `accumulate`, `accumulatePairs` and `update` train then. */
  pairs?: (PreferenceLossSettings & { shapes: readonly BatchShape[] }) | undefined;
  /** What matrix products by weights are computed in. */
  productType?: ProductType;
  /** Shapes whose loss is computed in between. */
  lossShapes?: readonly BatchShape[] | undefined;
  /** Questions whose choices are ranked in between, in their batches. */
  ranked?: { batches: readonly (readonly PackedQuestion[])[]; batchSize: number } | undefined;
}

const GRADIENT = 'gradient';
const UPDATE = 'update';
/** Zero for the first part of a batch, which drops what the batch before left; one for the others. */
const KEEP_INPUT = { keep: { shape: [], dataType: 'float32' } } as const satisfies Record<string, InputSpecification>;
/** The name of a shape's function. */
export const shapeName = ({ batch, tokens, targets, images }: BatchShape) =>
  `step-${batch}-${tokens}-${targets}${images === undefined ? '' : `-${images}`}`;
const lossName = (shape: BatchShape) => `loss of ${shapeName(shape)}`;
/** The name of a shape's function for preference pairs. */
export const pairsName = (shape: BatchShape) => `pairs of ${shapeName(shape)}`;
const logProbabilitiesName = (shape: BatchShape) => `log probabilities of ${shapeName(shape)}`;

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
  const untrained = await untrainedParameters(model, layout, settings.seed);
  const parameters = untrained.slice();
  for (const [name, values] of viewsOf(layout, parameters)) values.set(settings.start?.get(name) ?? values);
  const [, first, second] = OPTIMIZER_STATE;
  if (gradients) program.assign(GRADIENT, new Float32Array(layout.total));
  write({ parameters, [first]: new Float32Array(layout.total), [second]: new Float32Array(layout.total) });

  if (settings.rateFactors) {
    const partOf = partsOfTrained(model.config, layout);
    program.assign(RATE_FACTORS, rateFactors(layout, settings.rateFactors, partOf));
  }

  const scalarsOf = (step: number, learningRate: number) =>
    adamScalars(step + 1, learningRate, settings.weightDecay, settings.adam);
  /** Every part of every step draws its own. */
  const dropoutSeed = (step: number, part: number) =>
    Int32Array.of(settings.seed, (step * parts + part) * layout.names.length);
  let gradientNorm: number | undefined;
  const run = (name: string, inputs: Record<string, TypedArray>) => {
    const { loss, norm } = program.run(name, inputs);
    gradientNorm = norm?.[0] ?? gradientNorm;
    return loss?.[0] as number;
  };
  const lossOf = (shape: BatchShape, inputs: Record<string, TypedArray>) => run(shapeName(shape), inputs);

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
    accumulatePairs: ({ shape, batch, images, reference, step, part }) => {
      const inputs = { ...batch, images, reference, keep: Float32Array.of(part === 0 ? 0 : 1) };
      const { loss, logProbabilities } = program.run(pairsName(shape), {
        ...inputs,
        dropoutSeed: dropoutSeed(step, part),
      });
      return { loss: loss?.[0] as number, logProbabilities: logProbabilities as Float32Array };
    },
    logProbabilities: ({ shape, batch, images }) =>
      program.run(logProbabilitiesName(shape), { ...batch, images }).logProbabilities as Float32Array,
    update: ({ step, learningRate }) => {
      run(UPDATE, { scalars: scalarsOf(step, learningRate) });
    },
    gradientNorm: () => gradientNorm,
    lossOf: ({ shape, batch, images }) => run(lossName(shape), { ...batch, images }),
    rank: (questions, images) => {
      if (!scorer) throw new Error('the program was traced without questions to rank');
      return scorer.score(questions, images);
    },
    untrained,
    read: () =>
      Object.fromEntries(OPTIMIZER_STATE.map((name) => [name, program.read(name)])) as OptimizerState['arrays'],
    write,
    dispose: () => program.dispose(),
  };
}

/** Each shape once. */
const each = (shapes: readonly BatchShape[]) => new Map(shapes.map((shape) => [shapeName(shape), shape])).values();

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
  const { trainable } = settings;
  const layout = flatParameters(trainedShapes(config, { lora, trainable }));
  const entered = enteredImages(config, imageEntryOf({ lora, trainable }));
  const { parts = 1, activationCheckpointing, productType, weightDtype, ranked, pairs } = settings;
  const program = new Program({ productType });
  const flat = declareParameters(program, layout);
  const gradients = parts > 1 || pairs ? program.variable(GRADIENT, [layout.total]) : undefined;
  const { maximumGradientNorm: maximumNorm, adam, rateFactors: byPart } = settings;
  if (byPart) program.variable(RATE_FACTORS, [layout.total]);
  const optimizer = { maximumNorm, adam, hasRateFactors: byPart !== undefined };
  /** An output is computed whether it is read or not. */
  const withNorm = (norm: Value): Record<string, Value> => (maximumNorm === undefined ? {} : { norm });
  const base = frozenWeights(
    program,
    { shapes: familyOf(config).expectedTensors() },
    {
      weightDtype,
      use: 'forward and backward',
    },
  );

  const inputsOf = (shape: BatchShape) =>
    ({
      ...batchInputs(shape),
      images: { shape: entered.shape(imagesIn(shape)), dataType: 'float32' },
    }) as const satisfies Record<string, InputSpecification>;
  /** The model with what is trained of it; without a seed nothing drops out. */
  const trainedModel = (ops: Ops, dropoutSeed?: Value) => {
    const variables = trainedVariables(unpack(ops, layout, flat));
    const adapters = traceAdapters(ops, variables, dropoutSeed ? lora : { ...lora, dropout: 0 }, dropoutSeed);
    return { trained: [...variables.values()], adapters, weights: trainedWeights(base, variables, adapters) };
  };
  for (const shape of each(shapes)) {
    const inputs = {
      ...inputsOf(shape),
      dropoutSeed: { shape: [2], dataType: 'int32' },
    } as const satisfies Record<string, InputSpecification>;
    const traceLoss = (ops: Ops, values: Record<keyof typeof inputs, Value>) => {
      const tape = new Tape(ops);
      const { trained, adapters, weights } = trainedModel(ops, values.dropoutSeed);
      const images = entered.embed(tape, weights, values.images);
      const loss = batchLoss(tape, weights, config, shape, values, images, adapters, activationCheckpointing);
      return { tape, loss, trained };
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
        const norm = optimize(tape, update, loss, trained, values.scalars, optimizer);
        return { loss: loss.value, ...withNorm(norm) };
      });
    }
  }
  if (gradients && pairs) {
    for (const shape of each(pairs.shapes)) {
      const traceAnswers = (
        tape: Tape,
        values: Parameters<typeof batchLogits>[4] & { images: Value },
        { weights, adapters }: { weights: Weights; adapters: Adapters },
      ) => {
        const images = entered.embed(tape, weights, values.images);
        const logits = batchLogits(tape, weights, config, shape, values, images, adapters, activationCheckpointing);
        return answerLogProbabilities(tape, logits, values.labels, values.weights, shape.batch);
      };
      const inputs = {
        ...inputsOf(shape),
        dropoutSeed: { shape: [2], dataType: 'int32' },
        reference: { shape: [shape.batch / 2], dataType: 'float32' },
        ...KEEP_INPUT,
      } as const satisfies Record<string, InputSpecification>;
      program.define(pairsName(shape), inputs, (ops, values, update) => {
        const tape = new Tape(ops);
        const model = trainedModel(ops, values.dropoutSeed);
        const answers = traceAnswers(tape, values, model);
        const loss = preferenceLoss(tape, answers, values.reference, pairs);
        const kept = ops.multiply(gradients, values.keep);
        update.assign(GRADIENT, ops.add(kept, flatGradient(tape, loss, model.trained)));
        return { loss: loss.value, logProbabilities: answers.value };
      });
      program.define(logProbabilitiesName(shape), inputsOf(shape), (ops, values) => ({
        logProbabilities: traceAnswers(new Tape(ops), values, trainedModel(ops)).value,
      }));
    }
  }
  if (gradients) {
    program.define(UPDATE, SCALARS_INPUT, (ops, { scalars }, update) => {
      const norm = updateParameters(ops, update, gradients, scalars, optimizer);
      return { done: ops.scalar(1), ...withNorm(norm) };
    });
  }
  for (const shape of each(settings.lossShapes ?? [])) {
    program.define(lossName(shape), inputsOf(shape), (ops, values) => {
      const tape = new Tape(ops);
      const { adapters, weights } = trainedModel(ops);
      const images = entered.embed(tape, weights, values.images);
      return { loss: batchLoss(tape, weights, config, shape, values, images, adapters).value };
    });
  }
  const scorer =
    ranked && traceScorer(program, base, config, ranked.batches, ranked.batchSize, { entered, of: trainedModel });
  return { program, layout, gradients, scorer };
}
