import type { Tape, Variable } from '../ops/tape.ts';
import type { Value } from '../ops/value.ts';

/**
 * Rows of a table, as float32 however it is stored.
 *
 * @param table `[rows, hidden]`
 * @param indices int32 `[n]`
 * @returns `[n, hidden]`
 */
export function gatherRows(tape: Tape, table: Variable, indices: Value): Variable {
  const { ops } = tape;
  const rows = ops.cast(ops.gather(table.value, indices), 'float32');
  return tape.record([table], rows, (gradient) => [ops.segmentSum(gradient, indices, table.value.shape[0] as number)]);
}

/**
 * Takes the rows of `whenTrue` where the condition holds, else those of `whenFalse`.
 *
 * @param condition bool `[n, 1]`
 * @param whenTrue `[n, hidden]`
 * @param whenFalse `[n, hidden]`
 */
export function selectRows(tape: Tape, condition: Value, whenTrue: Variable, whenFalse: Variable): Variable {
  const { ops } = tape;
  const value = ops.select(condition, whenTrue.value, whenFalse.value);
  return tape.record([whenTrue, whenFalse], value, (gradient) => {
    const nothing = ops.scalar(0);
    return [
      whenTrue.needsGradient ? ops.select(condition, gradient, nothing) : undefined,
      whenFalse.needsGradient ? ops.select(condition, nothing, gradient) : undefined,
    ];
  });
}
