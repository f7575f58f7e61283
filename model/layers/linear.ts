import type { Tape, Variable } from '../ops/tape.ts';

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
  const product = ops.matMul(x.value, weight.value, { transposeB: true });
  const value = bias ? ops.biasAdd(product, bias.value) : product;
  return tape.record(bias ? [x, weight, bias] : [x, weight], value, (gradient) => [
    x.needsGradient ? ops.matMul(gradient, weight.value) : undefined,
    weight.needsGradient ? ops.matMul(gradient, x.value, { transposeA: true }) : undefined,
    bias?.needsGradient ? ops.sum(gradient, [0]) : undefined,
  ]);
}

/** `a + b`, of equal shapes: the residual connection. */
export function add(tape: Tape, a: Variable, b: Variable): Variable {
  const value = tape.ops.add(a.value, b.value);
  return tape.record([a, b], value, (gradient) => [gradient, gradient]);
}
