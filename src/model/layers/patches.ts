/** The start of a vision transformer (arXiv 2010.11929): patches, class token, positions. */
import type { Ops } from '../ops/ops.ts';
import type { Tape, Variable } from '../ops/tape.ts';
import type { Value } from '../ops/value.ts';
import { gatherRows } from './embedding.ts';
import { linear } from './linear.ts';

/** Cuts images `[batch, 3, size, size]` into rows of patch pixels `[batch * patches, 3 * patch * patch]`. */
function patchRows(ops: Ops, pixels: Value, patch: number): Value {
  const [batch, channels, height, width] = pixels.shape as [number, number, number, number];
  const rows = height / patch;
  const columns = width / patch;
  const apart = ops.reshape(pixels, [batch, channels, rows, patch, columns, patch]);
  const ordered = ops.transpose(apart, [0, 2, 4, 1, 3, 5]);
  return ops.reshape(ordered, [batch * rows * columns, channels * patch * patch]);
}

/** Puts the class token in front of each image's patches: `[batch * (patches + 1), hidden]`. */
export function prependClassToken(tape: Tape, patches: Variable, token: Variable, batch: number): Variable {
  const { ops } = tape;
  const hidden = token.value.shape.at(-1) as number;
  const count = (patches.value.shape[0] as number) / batch;
  const repeated = gatherRows(tape, reshaped(tape, token, [1, hidden]), ops.constant(new Int32Array(batch), [batch]));
  const value = ops.concat(
    [ops.reshape(repeated.value, [batch, 1, hidden]), ops.reshape(patches.value, [batch, count, hidden])],
    1,
  );
  return tape.record([repeated, patches], ops.reshape(value, [batch * (count + 1), hidden]), (gradient) => {
    const [first, rest] = ops.split(ops.reshape(gradient, [batch, count + 1, hidden]), [1, count], 1) as [Value, Value];
    return [ops.reshape(first, [batch, hidden]), ops.reshape(rest, [batch * count, hidden])];
  });
}

function reshaped(tape: Tape, x: Variable, shape: readonly number[]): Variable {
  const { ops } = tape;
  return tape.record([x], ops.reshape(x.value, shape), (gradient) => [ops.reshape(gradient, x.value.shape)]);
}

/** Adds position embeddings `[1, tokens, hidden]` or `[tokens, hidden]` to each image's tokens `[batch * tokens, hidden]`. */
export function addPositions(tape: Tape, x: Variable, positions: Variable, batch: number): Variable {
  const { ops } = tape;
  const [tokens, hidden] = positions.value.shape.slice(-2) as [number, number];
  const apart = ops.reshape(x.value, [batch, tokens, hidden]);
  return tape.record([x, positions], ops.reshape(ops.add(apart, positions.value), x.value.shape), (gradient) => [
    gradient,
    positions.needsGradient
      ? ops.reshape(ops.sum(ops.reshape(gradient, [batch, tokens, hidden]), [0]), positions.value.shape)
      : undefined,
  ]);
}

/**
 * The convolution that turns patches into rows: a linear layer, as patches do not overlap.
 *
 * @param pixels float32 `[batch, 3, size, size]`
 * @param weight `[hidden, 3, patch, patch]`
 * @returns `[batch * patches, hidden]`
 */
export function embedPatches(tape: Tape, pixels: Value, weight: Variable, bias?: Variable): Variable {
  const [hidden, channels, patch] = weight.value.shape as [number, number, number];
  const rows = { value: patchRows(tape.ops, pixels, patch), needsGradient: false };
  return linear(tape, rows, reshaped(tape, weight, [hidden, channels * patch ** 2]), bias);
}
