/** AdamW (arXiv 1711.05101) over flat parameters, inside a traced program, and its learning rate. */
import type { FlatParameters } from '../../../model/flat-parameters.ts';
import { pack } from '../../../model/flat-parameters.ts';
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

/** One AdamW step by a flat gradient. */
export function updateParameters(ops: Ops, update: Updates, gradient: Value, scalars: Value): void {
  const [learningRate, beta1Power, beta2Power, epsilon, decay] = ops
    .split(scalars, [1, 1, 1, 1, 1], 0)
    .map((value) => ops.reshape(value, [])) as [Value, Value, Value, Value, Value];
  update.applyAdam(PARAMETERS, { gradient, learningRate, beta1Power, beta2Power, epsilon, decay });
}

/**
 * Differentiates the loss and updates the parameters.
 *
 * @param variables the trained tensors, in the layout's order
 * @param maximumNorm gradients longer than this are shortened to it
 * @returns the gradient's norm before shortening, scalar
 */
export function optimize(
  tape: Tape,
  update: Updates,
  loss: Variable,
  variables: readonly Variable[],
  scalars: Value,
  maximumNorm?: number,
): Value {
  const { ops } = tape;
  const gradient = flatGradient(tape, loss, variables);
  const norm = ops.sqrt(ops.sum(ops.square(gradient), [0]));
  const bounded = maximumNorm === undefined ? gradient : shortened(ops, gradient, norm, maximumNorm);
  updateParameters(ops, update, bounded, scalars);
  return norm;
}

function shortened(ops: Ops, gradient: Value, norm: Value, maximum: number): Value {
  const factor = ops.minimum(ops.scalar(1), ops.divide(ops.scalar(maximum), ops.add(norm, ops.scalar(1e-6))));
  return ops.multiply(gradient, factor);
}

/**
 * Linear warm-up from `initial` to `peak`, then a cosine from `peak` to `final`, as the reference system's
 * `linear_warmup_cosine_lr` (MiniGPT-4, `minigpt4/common/optims.py`): the cosine counts from the first step of the
 * run, so that it is a little past its top when the warm-up ends.
 *
 * @param step from 0
 */
export function learningRateAt(step: number, steps: number, schedule: LearningRateSchedule): number {
  const { initial, peak, final, warmupSteps } = schedule;
  if (step < warmupSteps) return initial + ((peak - initial) * step) / warmupSteps;
  return final + (peak - final) * 0.5 * (1 + Math.cos((Math.PI * step) / steps));
}
