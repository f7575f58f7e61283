import type { Ops } from '../ops/ops.ts';
import { frozen, type Tape, type Variable } from '../ops/tape.ts';
import type { Value } from '../ops/value.ts';

export interface HeadLayout {
  batch: number;
  tokens: number;
  heads: number;
  headSize: number;
}

/** `[batch * tokens, heads * headSize]` to `[batch, heads, tokens, headSize]`. */
export function headsFirst(tape: Tape, x: Variable, layout: HeadLayout): Variable {
  const { ops } = tape;
  const { batch, tokens, heads, headSize } = layout;
  // A single token lies as it should already.
  if (tokens === 1 && !x.needsGradient) return frozen(ops.reshape(x.value, [batch, heads, tokens, headSize]));
  const apart = ops.reshape(x.value, [batch, tokens, heads, headSize]);
  return tape.record([x], ops.transpose(apart, [0, 2, 1, 3]), (gradient) => [
    ops.reshape(ops.transpose(gradient, [0, 2, 1, 3]), x.value.shape),
  ]);
}

/** `[batch, heads, tokens, headSize]` back to `[batch * tokens, heads * headSize]`. */
export function headsLast(tape: Tape, x: Variable): Variable {
  const { ops } = tape;
  const [batch, heads, tokens, headSize] = x.value.shape as [number, number, number, number];
  if (tokens === 1 && !x.needsGradient) return frozen(ops.reshape(x.value, [batch, heads * headSize]));
  const together = ops.reshape(ops.transpose(x.value, [0, 2, 1, 3]), [batch * tokens, heads * headSize]);
  return tape.record([x], together, (gradient) => [
    ops.transpose(ops.reshape(gradient, [batch, tokens, heads, headSize]), [0, 2, 1, 3]),
  ]);
}

interface AttentionResult {
  /** `[batch, heads, queryTokens, headSize]` */
  value: Value;
  backward(gradient: Value): { query: Value; key: Value; value: Value };
}

/**
 * Forward and backward of attention over plain values; see `attention`.
 *
 * @param options.recomputes whether the probabilities are computed once more for the backward, and not kept
 */
function attend(
  ops: Ops,
  { query, key, value }: { query: Value; key: Value; value: Value },
  { mask, recomputes = false }: { mask?: Value | undefined; recomputes?: boolean } = {},
): AttentionResult {
  const [batch, heads, queryTokens, headSize] = query.shape as [number, number, number, number];
  const [, keyValueHeads, tokens] = key.shape as [number, number, number];
  const group = heads / keyValueHeads;
  const grouped = [batch, keyValueHeads, group * queryTokens, headSize];
  const scale = 1 / Math.sqrt(headSize);

  const scaled = ops.reshape(ops.scale(query, scale), grouped);
  const probabilitiesOf = (queries: Value) => {
    const scores = ops.batchMatMul(queries, key, { transposeB: true });
    if (!mask) return ops.softmax(scores);
    const apart = ops.reshape(scores, [batch, keyValueHeads, group, queryTokens, tokens]);
    return ops.softmax(ops.reshape(ops.add(apart, mask), scores.shape));
  };
  const forward = probabilitiesOf(scaled);
  const mixed = ops.batchMatMul(forward, value);

  return {
    value: ops.reshape(mixed, query.shape),
    backward(gradient) {
      const upstream = ops.reshape(gradient, grouped);
      const probabilities = recomputes ? probabilitiesOf(ops.after(scaled, upstream)) : forward;
      const slopes = ops.batchMatMul(upstream, value, { transposeB: true });
      // sum over tokens of dP * P equals the row product of dO and O, which is smaller
      const rows = ops.sum(ops.multiply(upstream, mixed), [3], true);
      const scoreGradient = ops.multiply(probabilities, ops.subtract(slopes, rows));
      return {
        query: ops.reshape(ops.scale(ops.batchMatMul(scoreGradient, key), scale), query.shape),
        key: ops.batchMatMul(scoreGradient, scaled, { transposeA: true }),
        value: ops.batchMatMul(probabilities, upstream, { transposeA: true }),
      };
    },
  };
}

/**
 * Scaled dot-product attention (arXiv 1706.03762) with grouped key-value heads (arXiv 2305.13245): every
 * group of query heads is laid along the token axis of its key-value head, so keys are never copied.
 *
 * The probabilities are what grows with the square of the tokens: of them nothing is kept for the backward, as in
 * FlashAttention (arXiv 2205.14135).
 *
 * @param query `[batch, heads, queryTokens, headSize]`
 * @param key `[batch, keyValueHeads, tokens, headSize]`, `heads` a multiple of `keyValueHeads`
 * @param value as `key`
 * @param mask float32, added to the scores; broadcasts to `[batch, keyValueHeads, group, queryTokens, tokens]`
 * @returns `[batch, heads, queryTokens, headSize]`
 */
export function attention(tape: Tape, query: Variable, key: Variable, value: Variable, mask?: Value): Variable {
  const values = { query: query.value, key: key.value, value: value.value };
  const result = attend(tape.ops, values, { mask, recomputes: true });
  return tape.record([query, key, value], result.value, (gradient) => {
    const slopes = result.backward(gradient);
    return [slopes.query, slopes.key, slopes.value];
  });
}

/**
 * Self-attention from one projection that holds query, key and value side by side.
 *
 * @param fused `[batch * tokens, 3 * heads * headSize]`
 * @returns `[batch, heads, tokens, headSize]`
 */
export function fusedSelfAttention(tape: Tape, fused: Variable, layout: HeadLayout): Variable {
  const { ops } = tape;
  const { batch, tokens, heads, headSize } = layout;
  const apart = ops.reshape(fused.value, [batch, tokens, 3, heads, headSize]);
  const parts = ops.split(ops.transpose(apart, [2, 0, 3, 1, 4]), [1, 1, 1], 0);
  const [query, key, value] = parts.map((part) => ops.reshape(part, [batch, heads, tokens, headSize])) as [
    Value,
    Value,
    Value,
  ];
  const result = attend(ops, { query, key, value });
  return tape.record([fused], result.value, (gradient) => {
    const slopes = result.backward(gradient);
    const stacked = ops.concat(
      [slopes.query, slopes.key, slopes.value].map((slope) => ops.reshape(slope, [1, batch, heads, tokens, headSize])),
      0,
    );
    return [ops.reshape(ops.transpose(stacked, [1, 3, 0, 2, 4]), fused.value.shape)];
  });
}

/** Hides a token, added to its scores: low enough for that, and still finite when added twice. */
export const HIDDEN = -1e9;

/** The causal mask, additive `[tokens, tokens]`: a token sees itself and what came before. */
export function causalMask(tokens: number): Float32Array {
  const data = new Float32Array(tokens * tokens);
  for (let row = 0; row < tokens; row++) data.fill(HIDDEN, row * tokens + row + 1, (row + 1) * tokens);
  return data;
}

/** Turns a bool matrix of which token sees which (1 = sees) into an additive mask. */
export function additiveMask(visible: Uint8Array): Float32Array {
  return Float32Array.from(visible, (isVisible) => (isVisible ? 0 : HIDDEN));
}
