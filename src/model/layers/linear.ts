import type { Ops } from '../ops/ops.ts';
import type { Tape, Variable } from '../ops/tape.ts';
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
  const { ops } = tape;
  const product = throughWeight(ops, x.value, weight);
  const value = bias ? ops.biasAdd(product, bias.value) : product;
  return tape.record(bias ? [x, weight, bias] : [x, weight], value, (gradient) => [
    x.needsGradient ? backThroughWeight(ops, gradient, weight) : undefined,
    weight.needsGradient ? ops.matMul(gradient, x.value, { transposeA: true }) : undefined,
    bias?.needsGradient ? ops.sum(gradient, [0]) : undefined,
  ]);
}

/** `a + b`, of equal shapes: the residual connection. */
export function add(tape: Tape, a: Variable, b: Variable): Variable {
  const value = tape.ops.add(a.value, b.value);
  return tape.record([a, b], value, (gradient) => [gradient, gradient]);
}
