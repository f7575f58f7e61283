import type { Ops } from '../ops/ops.ts';
import { frozen, type Tape, type Variable } from '../ops/tape.ts';
import type { Value } from '../ops/value.ts';

/** `x Wᵀ`: `[rows, in]` by a weight `[out, in]`, kept as it is or transposed. */
export function throughWeight(ops: Ops, x: Value, { value, isTransposed = false }: Variable): Value {
  return ops.matMul(x, value, { transposeB: !isTransposed });
}

/** `gradient W`, the gradient of `throughWeight`'s input. */
export function backThroughWeight(ops: Ops, gradient: Value, { value, isTransposed = false }: Variable): Value {
  return ops.matMul(gradient, value, { transposeB: isTransposed });
}

/**
 * `y = x Wᵀ + b`, as `torch.nn.Linear`.
 *
 * @param x `[rows, in]`
 * @param weight `[out, in]`
 * @param bias `[out]`
 * @returns `[rows, out]`
 */
export function linear(tape: Tape, x: Variable, weight: Variable, bias?: Variable): Variable {
  if (weight.throughAdapter) return weight.throughAdapter(tape, x, bias);
  const { ops } = tape;
  const product = throughWeight(ops, x.value, weight);
  const value = bias ? ops.biasAdd(product, bias.value) : product;
  return tape.record(bias ? [x, weight, bias] : [x, weight], value, (gradient) => [
    x.needsGradient ? backThroughWeight(ops, gradient, weight) : undefined,
    weight.needsGradient ? ops.matMul(gradient, x.value, { transposeA: true }) : undefined,
    bias?.needsGradient ? ops.sum(gradient, [0]) : undefined,
  ]);
}

/** Adds a bias `[out]` to each row of `[rows, out]`. */
export function addBias(tape: Tape, x: Variable, bias: Variable): Variable {
  return tape.record([x, bias], tape.ops.biasAdd(x.value, bias.value), (gradient) => [
    gradient,
    bias.needsGradient ? tape.ops.sum(gradient, [0]) : undefined,
  ]);
}

/**
 * `y = x Wᵀ` as a batch of one product. oneDNN multiplies a few rows so by a wide weight `[out, in]` in half the time, since
 * it copies less of it. Nothing is learned through it.
 */
export function batchedLinear(tape: Tape, x: Variable, weight: Variable): Variable {
  const { ops } = tape;
  const [rows, inputSize] = x.value.shape as [number, number];
  const [outputSize] = weight.value.shape as [number];
  const matrix = ops.reshape(ops.cast(weight.value, x.value.dataType), [1, outputSize, inputSize]);
  const product = ops.batchMatMul(ops.reshape(x.value, [1, rows, inputSize]), matrix, { transposeB: true });
  return frozen(ops.reshape(product, [rows, outputSize]));
}

/** `a + b`, of equal shapes: the residual connection. */
export function add(tape: Tape, a: Variable, b: Variable): Variable {
  const value = tape.ops.add(a.value, b.value);
  return tape.record([a, b], value, (gradient) => [gradient, gradient]);
}
