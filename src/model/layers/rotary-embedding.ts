import type { Ops } from '../ops/ops.ts';
import { frozen, type Tape, type Variable } from '../ops/tape.ts';
import type { Value } from '../ops/value.ts';

/** Cosines and sines, each broadcasting to `[batch, heads, tokens, headSize / 2]`. */
export interface RotaryTables {
  cosine: Value;
  sine: Value;
}

/**
 * Rotary position embedding (arXiv 2104.09864) in Hugging Face's half-split layout.
 *
 * @param x `[batch, heads, tokens, headSize]`
 */
export function rotate(tape: Tape, x: Variable, tables: RotaryTables): Variable {
  const { ops } = tape;
  const half = (x.value.shape[3] as number) / 2;
  const turn = (input: Value, direction: 1 | -1) => {
    const [first, second] = ops.split(input, [half, half], 3) as [Value, Value];
    const along = (part: Value) => ops.multiply(part, tables.cosine);
    const across = (part: Value) => ops.multiply(part, tables.sine);
    return direction === 1
      ? ops.concat([ops.subtract(along(first), across(second)), ops.add(along(second), across(first))], 3)
      : ops.concat([ops.add(along(first), across(second)), ops.subtract(along(second), across(first))], 3);
  };
  return tape.record([x], turn(x.value, 1), (gradient) => [turn(gradient, -1)]);
}

/** `rotate` for what has no gradient, in fewer operations; what is made of the tables is there once for all layers. */
export function rotateForward(ops: Ops, x: Value, { cosine, sine }: RotaryTables): Variable {
  const half = (x.shape[3] as number) / 2;
  const [first, second] = ops.split(x, [half, half], 3) as [Value, Value];
  const across = ops.multiply(ops.concat([second, first], 3), ops.concat([ops.negate(sine), sine], 3));
  return frozen(ops.add(ops.multiply(x, ops.concat([cosine, cosine], 3)), across));
}

export interface RotaryScaling {
  rope_type?: string;
  type?: string;
  factor?: number;
  low_freq_factor?: number;
  high_freq_factor?: number;
  original_max_position_embeddings?: number;
}

/**
 * Angles a position turns by, float32 `[headSize / 2]`.
 *
 * @param scaling `linear` and `llama3` as in transformers' `modeling_rope_utils.py`
 * @throws Error for a scaling that is not known: ignoring it would give wrong logits silently
 */
export function rotaryFrequencies(headSize: number, base: number, scaling?: RotaryScaling | null): Float32Array {
  const frequencies = Float32Array.from({ length: headSize / 2 }, (_, index) => base ** ((-2 * index) / headSize));
  const kind = scaling?.rope_type ?? scaling?.type ?? 'default';
  if (!scaling || kind === 'default') return frequencies;
  const factor = scaling.factor ?? 1;
  if (kind === 'linear') return frequencies.map((frequency) => frequency / factor);
  if (kind !== 'llama3') throw new Error(`rope scaling '${kind}' is not supported (default, linear, llama3)`);
  const context = scaling.original_max_position_embeddings ?? 8192;
  const low = scaling.low_freq_factor ?? 1;
  const high = scaling.high_freq_factor ?? 4;
  return frequencies.map((frequency) => {
    const turns = (context * frequency) / (2 * Math.PI);
    if (turns < low) return frequency / factor;
    if (turns > high) return frequency;
    const smooth = (turns - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/**
 * Cosines and sines of positions, float32 `[positions.length, headSize / 2]` each.
 */
export function rotaryTables(
  positions: ArrayLike<number>,
  frequencies: Float32Array,
): { cosine: Float32Array; sine: Float32Array } {
  const half = frequencies.length;
  const cosine = new Float32Array(positions.length * half);
  const sine = new Float32Array(positions.length * half);
  for (let row = 0; row < positions.length; row++) {
    for (let column = 0; column < half; column++) {
      const angle = (positions[row] as number) * (frequencies[column] as number);
      cosine[row * half + column] = Math.cos(angle);
      sine[row * half + column] = Math.sin(angle);
    }
  }
  return { cosine, sine };
}
