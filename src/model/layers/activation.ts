import type { Tape, Variable } from '../ops/tape.ts';
import type { Value } from '../ops/value.ts';

/** Gaussian error linear unit, exact form with erf (arXiv 1606.08415), as `torch.nn.functional.gelu`. */
export function gelu(tape: Tape, x: Variable): Variable {
  const { ops } = tape;
  const cumulative = ops.scale(ops.add(ops.erf(ops.scale(x.value, Math.SQRT1_2)), ops.scalar(1)), 0.5);
  return tape.record([x], ops.multiply(x.value, cumulative), (gradient) => {
    const density = ops.scale(ops.exp(ops.scale(ops.square(x.value), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return [ops.multiply(gradient, ops.add(cumulative, ops.multiply(x.value, density)))];
  });
}

/** CLIP's approximation of it, `x * sigmoid(1.702 x)`, as `QuickGELUActivation` of transformers. */
export function quickGelu(tape: Tape, x: Variable): Variable {
  const { ops } = tape;
  const sigmoid = ops.sigmoid(ops.scale(x.value, 1.702));
  const value = ops.multiply(x.value, sigmoid);
  return tape.record([x], value, (gradient) => {
    const slope = ops.add(sigmoid, ops.scale(ops.multiply(value, ops.subtract(ops.scalar(1), sigmoid)), 1.702));
    return [ops.multiply(gradient, slope)];
  });
}

/**
 * SwiGLU's gating (arXiv 2002.05202): `gate * sigmoid(gate) * up`, all `[rows, inner]`.
 *
 * Only gate and up are kept for the gradient: they are the largest activations of a layer, and what lies between is
 * two cheap operations.
 */
export function gatedSilu(tape: Tape, gate: Variable, up: Variable): Variable {
  const { ops } = tape;
  const parts = (gate: Value) => {
    const sigmoid = ops.sigmoid(gate);
    return { sigmoid, silu: ops.multiply(gate, sigmoid) };
  };
  return tape.record([gate, up], ops.multiply(parts(gate.value).silu, up.value), (gradient) => {
    const { sigmoid, silu } = parts(ops.after(gate.value, gradient));
    // silu' = sigmoid + silu * (1 - sigmoid)
    const slope = ops.add(sigmoid, ops.multiply(silu, ops.subtract(ops.scalar(1), sigmoid)));
    return [ops.multiply(ops.multiply(gradient, up.value), slope), ops.multiply(gradient, silu)];
  });
}
