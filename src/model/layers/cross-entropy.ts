import type { Tape, Variable } from '../ops/tape.ts';
import type { Value } from '../ops/value.ts';

/**
 * Weighted sum of the token losses.
 *
 * @param logits `[n, vocabulary]`
 * @param labels int32 `[n]`
 * @param weights float32 `[n]`; zero for padding, `1 / count` for a mean
 * @returns scalar
 */
export function crossEntropy(tape: Tape, logits: Variable, labels: Value, weights: Value): Variable {
  const { ops } = tape;
  const [losses, slope] = ops.crossEntropy(logits.value, labels);
  const total = ops.sum(ops.multiply(losses, weights), [0]);
  return tape.record([logits], total, (gradient) => {
    const rows = ops.reshape(ops.multiply(weights, gradient), [weights.shape[0] as number, 1]);
    return [ops.multiply(slope, rows)];
  });
}
