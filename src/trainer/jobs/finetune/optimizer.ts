/** AdamW (arXiv 1711.05101) over flat parameters, inside a traced program, and its learning rate. */
import type { AdaptedPart, TrainablePart } from '../../../config/lora-schema.ts';
import type { FlatParameters } from '../../../model/flat-parameters.ts';
import { pack, viewsOf } from '../../../model/flat-parameters.ts';
import { type AdamInputs, type AdamSettings, standardAdam } from '../../../model/ops/adam.ts';
import type { Ops } from '../../../model/ops/ops.ts';
import type { InputSpecification, Program, Updates } from '../../../model/ops/program.ts';
import type { Tape, Variable } from '../../../model/ops/tape.ts';
import type { Value } from '../../../model/ops/value.ts';
import type { LearningRateSchedule } from '../../protocol.ts';

/** The flat variable; its moments are `parameters/m` and `parameters/v`. */
const PARAMETERS = 'parameters';
export const OPTIMIZER_STATE = [PARAMETERS, `${PARAMETERS}/m`, `${PARAMETERS}/v`] as const;

/** What `adamScalars` gives, as an input of a traced step. */
export const SCALARS_INPUT = {
  scalars: { shape: [5], dataType: 'float32' },
} as const satisfies Record<string, InputSpecification>;

/** Declares the flat parameters and their moments. */
export function declareParameters(program: Program, layout: FlatParameters): Value {
  const [parameters] = OPTIMIZER_STATE.map((name) => program.variable(name, [layout.total]));
  return parameters as Value;
}

/** Gradients of the trained tensors, in the layout's order, as one flat value. */
export function flatGradient(tape: Tape, loss: Variable, variables: readonly Variable[]): Value {
  return pack(tape.ops, tape.gradients(loss, variables));
}

export interface OptimizerSettings {
  /** Gradients longer than this are shortened to it, as by `torch.nn.utils.clip_grad_norm_`. */
  maximumNorm?: number | undefined;
  /** Default: PyTorch's. */
  adam?: Pick<AdamSettings, 'beta1' | 'beta2'> | undefined;
  /** Whether each value's learning rate is multiplied by that of `RATE_FACTORS`. */
  hasRateFactors?: boolean | undefined;
}

/** What each value's learning rate is multiplied by; a variable of programs that have such factors. */
export const RATE_FACTORS = 'rate factors';

/**
 * One AdamW step by a flat gradient.
 *
 * @returns the gradient's norm before shortening, scalar
 */
export function updateParameters(
  ops: Ops,
  update: Updates,
  gradient: Value,
  scalars: Value,
  { maximumNorm, adam: betas = standardAdam, hasRateFactors }: OptimizerSettings = {},
): Value {
  const norm = ops.sqrt(ops.sum(ops.square(gradient), [0]));
  const bounded = maximumNorm === undefined ? gradient : shortened(ops, gradient, norm, maximumNorm);
  const [learningRate, beta1Power, beta2Power, epsilon, decay] = ops
    .split(scalars, [1, 1, 1, 1, 1], 0)
    .map((value) => ops.reshape(value, [])) as [Value, Value, Value, Value, Value];
  const inputs = { gradient: bounded, learningRate, beta1Power, beta2Power, epsilon, decay, betas };
  if (hasRateFactors) updateByFactors(ops, update, inputs);
  else update.applyAdam(PARAMETERS, inputs);
  return norm;
}

/** What TensorFlow's kernel does, with a learning rate for each value: it takes only one for all. */
function updateByFactors(ops: Ops, update: Updates, inputs: AdamInputs): void {
  const { gradient, learningRate, beta1Power, beta2Power, epsilon, decay, betas } = inputs;
  const [parameters, first, second] = OPTIMIZER_STATE.map((name) => update.read(name)) as [Value, Value, Value];
  const mean = (old: Value, value: Value, beta: number) =>
    ops.add(ops.multiply(old, ops.scalar(beta)), ops.multiply(value, ops.scalar(1 - beta)));
  const newFirst = mean(first, gradient, betas.beta1);
  const newSecond = mean(second, ops.square(gradient), betas.beta2);
  const one = ops.scalar(1);
  const corrected = ops.divide(ops.sqrt(ops.subtract(one, beta2Power)), ops.subtract(one, beta1Power));
  const direction = ops.divide(newFirst, ops.add(ops.sqrt(newSecond), epsilon));
  const change = ops.add(
    ops.multiply(parameters, decay),
    ops.multiply(direction, ops.multiply(learningRate, corrected)),
  );
  update.assign(PARAMETERS, ops.subtract(parameters, ops.multiply(change, update.read(RATE_FACTORS))));
  update.assign(OPTIMIZER_STATE[1], newFirst);
  update.assign(OPTIMIZER_STATE[2], newSecond);
}

/**
 * Differentiates the loss and updates the parameters.
 *
 * @param variables the trained tensors, in the layout's order
 * @returns the gradient's norm before shortening, scalar
 */
export function optimize(
  tape: Tape,
  update: Updates,
  loss: Variable,
  variables: readonly Variable[],
  scalars: Value,
  settings: OptimizerSettings = {},
): Value {
  return updateParameters(tape.ops, update, flatGradient(tape, loss, variables), scalars, settings);
}

function shortened(ops: Ops, gradient: Value, norm: Value, maximum: number): Value {
  const factor = ops.minimum(ops.scalar(1), ops.divide(ops.scalar(maximum), ops.add(norm, ops.scalar(1e-6))));
  return ops.multiply(gradient, factor);
}

/**
 * Linear warm-up from `initial` to `peak`, then as the schedule says:
 *
 * - `reference`: a cosine from `peak` to `final`, as the reference system's `linear_warmup_cosine_lr` (MiniGPT-4,
 *   `minigpt4/common/optims.py`): it counts from the first step of the run, so that it is a little past its top when the
 *   warm-up ends.
 * - `cosine`, `linear`, `constant`: as transformers' `get_scheduler` (`constant_with_warmup` with a warm-up) for `initial`
 *   and `final` zero.
 *
 * @param step from 0
 */
export function learningRateAt(step: number, steps: number, schedule: LearningRateSchedule): number {
  const { schedule: kind = 'reference', initial, peak, final, warmupSteps } = schedule;
  if (step < warmupSteps) return initial + ((peak - initial) * step) / warmupSteps;
  if (kind === 'constant') return peak;
  const [done, all] = kind === 'reference' ? [step, steps] : [step - warmupSteps, Math.max(1, steps - warmupSteps)];
  if (kind === 'linear') return final + (peak - final) * (1 - done / all);
  return final + (peak - final) * 0.5 * (1 + Math.cos((Math.PI * done) / all));
}

/**
 * What the learning rate of a trained tensor is multiplied by.
 *
 * @param name such as `language_model.model.layers.0.self_attn.q_proj.lora_A`
 * @param of the part of the model that it belongs to
 */
export function rateFactor(
  name: string,
  byPart: NonNullable<LearningRateSchedule['byPart']>,
  of: AdaptedPart | TrainablePart = 'language',
): number {
  // A tensor's module may be within several that are named: `self_attn.q_proj` and `q_proj`.
  const parts = name.split('.');
  const isOf = (part: string) =>
    part === of || parts.at(-1) === part || parts.slice(0, -1).join('.').endsWith(`.${part}`);
  return Object.entries(byPart).reduce((factor, [part, one]) => (isOf(part) ? factor * one : factor), 1);
}

/** What the learning rate of each value is multiplied by, float32 `[total]`. @param partOf the part of the model of a trained tensor */
export function rateFactors(
  layout: FlatParameters,
  byPart: NonNullable<LearningRateSchedule['byPart']>,
  partOf: (name: string) => AdaptedPart | TrainablePart,
): Float32Array {
  const flat = new Float32Array(layout.total);
  for (const [name, values] of viewsOf(layout, flat)) values.fill(rateFactor(name, byPart, partOf(name)));
  return flat;
}
