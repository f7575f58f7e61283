import type { Tape, Variable } from '../ops/tape.ts';
import type { Value } from '../ops/value.ts';

/**
 * Root-mean-square norm (arXiv 1910.07467): `x / sqrt(mean(x²) + epsilon) * weight`.
 *
 * @param x `[rows, hidden]`
 * @param weight `[hidden]`
 */
export function rmsNorm(tape: Tape, x: Variable, weight: Variable, epsilon: number): Variable {
  const { ops } = tape;
  const meanSquare = ops.mean(ops.square(x.value), [1], true);
  const inverse = ops.rsqrt(ops.add(meanSquare, ops.scalar(epsilon)));
  const normalized = ops.multiply(x.value, inverse);
  const weighted = (normalized: Value) => ops.multiply(normalized, weight.value);
  const again = (event: Value) => weighted(ops.after(normalized, event));
  const backward = (gradient: Value) => {
    const inner = ops.multiply(gradient, weight.value);
    const projection = ops.mean(ops.multiply(inner, normalized), [1], true);
    return [
      x.needsGradient ? ops.multiply(ops.subtract(inner, ops.multiply(normalized, projection)), inverse) : undefined,
      weight.needsGradient ? ops.sum(ops.multiply(gradient, normalized), [0]) : undefined,
    ];
  };
  return tape.record([x, weight], weighted(normalized), backward, again);
}

/**
 * Layer norm (arXiv 1607.06450) with weight and bias.
 *
 * @param x `[rows, hidden]`
 * @param weight `[hidden]`
 * @param bias `[hidden]`
 */
export function layerNorm(tape: Tape, x: Variable, weight: Variable, bias: Variable, epsilon: number): Variable {
  const { ops } = tape;
  const centered = ops.subtract(x.value, ops.mean(x.value, [1], true));
  const variance = ops.mean(ops.square(centered), [1], true);
  const inverse = ops.rsqrt(ops.add(variance, ops.scalar(epsilon)));
  const normalized = ops.multiply(centered, inverse);
  const value = ops.add(ops.multiply(normalized, weight.value), bias.value);
  const inputGradient = (gradient: Value) => {
    const inner = ops.multiply(gradient, weight.value);
    const projection = ops.mean(ops.multiply(inner, normalized), [1], true);
    const mean = ops.mean(inner, [1], true);
    return ops.multiply(ops.subtract(ops.subtract(inner, mean), ops.multiply(normalized, projection)), inverse);
  };
  return tape.record([x, weight, bias], value, (gradient) => [
    x.needsGradient ? inputGradient(gradient) : undefined,
    weight.needsGradient ? ops.sum(ops.multiply(gradient, normalized), [0]) : undefined,
    bias.needsGradient ? ops.sum(gradient, [0]) : undefined,
  ]);
}
