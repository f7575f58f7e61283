/**
 * Conversion between 32-bit floats and the two 16-bit formats that checkpoints use.
 * F16 is IEEE 754 binary16; BF16 is the upper half of a 32-bit float.
 */

let float16Table: Float32Array | undefined;

/** The value of each of the 65,536 binary16 patterns; built once, 256 KB. */
function float16Values(): Float32Array {
  if (float16Table) return float16Table;
  const table = new Float32Array(65536);
  for (let pattern = 0; pattern < 65536; pattern++) {
    const sign = pattern & 0x8000 ? -1 : 1;
    const exponent = (pattern >>> 10) & 0x1f;
    const fraction = pattern & 0x3ff;
    if (exponent === 0) table[pattern] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[pattern] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    else table[pattern] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  float16Table = table;
  return table;
}

/** Writes the values of binary16 patterns into `target`, from `offset` on. */
export function widenFloat16(patterns: Uint16Array, target: Float32Array, offset = 0): void {
  const table = float16Values();
  for (let index = 0; index < patterns.length; index++) {
    target[offset + index] = table[patterns[index] as number] as number;
  }
}

/** Writes the values of bfloat16 patterns into `target`, from `offset` on. */
export function widenBfloat16(patterns: Uint16Array, target: Float32Array, offset = 0): void {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let index = 0; index < patterns.length; index++) {
    bits[offset + index] = (patterns[index] as number) << 16;
  }
}

/**
 * Rounds 32-bit floats to binary16, ties to even, as PyTorch's `.half()` does: what is too
 * large becomes infinity, what is too small becomes a subnormal or zero.
 */
export function narrowToFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const patterns = new Uint16Array(values.length);
  for (let index = 0; index < bits.length; index++) patterns[index] = float16Pattern(bits[index] as number);
  return patterns;
}

function float16Pattern(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // 65520 and above is nearer to the next power of two than to the largest half, 65504.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  if (magnitude <= 0x33000000) return sign;
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const truncated = mantissa >>> shift;
  const remainder = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  const roundsUp = remainder > half || (remainder === half && (truncated & 1) === 1);
  return sign | (truncated + (roundsUp ? 1 : 0));
}

/** Rounds 32-bit floats to bfloat16, ties to even; NaN stays NaN. */
export function narrowToBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const patterns = new Uint16Array(values.length);
  for (let index = 0; index < bits.length; index++) {
    const pattern = bits[index] as number;
    const isNotANumber = (pattern & 0x7fffffff) > 0x7f800000;
    patterns[index] = isNotANumber ? (pattern >>> 16) | 0x40 : (pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16;
  }
  return patterns;
}
