import type { Value } from '../ops/ops.ts';
import type { Tape, Variable } from '../ops/tape.ts';
import { linear } from './linear.ts';

/** One LoRA adapter (arXiv 2106.09685) on one linear layer. */
export interface Adapter {
  /** `[rank, in]` */
  a: Variable;
  /** `[out, rank]` */
  b: Variable;
  /** alpha / rank */
  scaling: number;
  /** float32 `[rows, in]`: zero where dropped, `1 / (1 - dropout)` elsewhere. None means no dropout. */
  dropoutMask?: Value;
}

/**
 * `y = x Wᵀ + scaling * (dropout(x) Aᵀ) Bᵀ`, the weight frozen.
 *
 * @param x `[rows, in]`
 * @param weight `[out, in]`
 * @returns `[rows, out]`
 */
export function adaptedLinear(tape: Tape, x: Variable, weight: Variable, adapter?: Adapter): Variable {
  if (!adapter) return linear(tape, x, weight);
  const { ops } = tape;
  const { a, b, scaling, dropoutMask } = adapter;
  const input = dropoutMask ? ops.multiply(x.value, dropoutMask) : x.value;
  const narrow = ops.scale(ops.matMul(input, a.value, { transposeB: true }), scaling);
  const value = ops.add(
    ops.matMul(x.value, weight.value, { transposeB: true }),
    ops.matMul(narrow, b.value, { transposeB: true }),
  );
  return tape.record([x, a, b], value, (gradient) => {
    const narrowGradient = ops.scale(ops.matMul(gradient, b.value), scaling);
    const throughAdapter = () => {
      const slope = ops.matMul(narrowGradient, a.value);
      return dropoutMask ? ops.multiply(slope, dropoutMask) : slope;
    };
    return [
      x.needsGradient ? ops.add(ops.matMul(gradient, weight.value), throughAdapter()) : undefined,
      ops.matMul(narrowGradient, input, { transposeA: true }),
      ops.matMul(gradient, narrow, { transposeA: true }),
    ];
  });
}
