import { describe, expect, it } from 'vitest';
import {
  narrowToBfloat16,
  narrowToFloat16,
  widenBfloat16,
  widenFloat16,
} from '../../../src/model/files/half-precision.ts';

const allPatterns = Uint16Array.from({ length: 65536 }, (_, pattern) => pattern);
const isNotNaN = (exponentMask: number, fractionMask: number) => (pattern: number) =>
  (pattern & exponentMask) !== exponentMask || (pattern & fractionMask) === 0;

function widened(widen: typeof widenFloat16, patterns: Uint16Array): Float32Array {
  const values = new Float32Array(patterns.length);
  widen(patterns, values);
  return values;
}

// vitest compares typed arrays of this size one value at a time, which takes seconds.
const sameNumbers = (one: Uint16Array, other: Uint16Array) => Buffer.from(one.buffer).equals(Buffer.from(other.buffer));

describe('binary16', () => {
  it('gives each number its value, subnormals and infinities included', () => {
    const patterns = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x8001, 0x0400, 0x7c00, 0xfc00);
    expect([...widened(widenFloat16, patterns)]).toEqual([
      1,
      -2,
      65504,
      2 ** -24,
      -(2 ** -24),
      2 ** -14,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
  });

  it('comes back the same from every number it can hold', () => {
    const numbers = allPatterns.filter(isNotNaN(0x7c00, 0x3ff));
    expect(sameNumbers(narrowToFloat16(widened(widenFloat16, numbers)), numbers)).toBe(true);
  });

  it('rounds to the nearest, and to the even one when two are as near', () => {
    const between = Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -11 + 2 ** -20, 2 ** -25, 1.5 * 2 ** -24);
    const rounded = widened(widenFloat16, narrowToFloat16(between));
    expect([...rounded]).toEqual([1, 1 + 2 ** -9, 1 + 2 ** -10, 0, 2 ** -23]);
  });

  it('makes infinity of what is too large, and keeps NaN', () => {
    const rounded = widened(widenFloat16, narrowToFloat16(Float32Array.of(65519, 65520, -1e30, Number.NaN)));
    expect([...rounded]).toEqual([65504, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]);
  });
});

describe('bfloat16', () => {
  it('comes back the same from every number it can hold', () => {
    const numbers = allPatterns.filter(isNotNaN(0x7f80, 0x7f));
    expect(sameNumbers(narrowToBfloat16(widened(widenBfloat16, numbers)), numbers)).toBe(true);
  });

  it('rounds to the nearest, and to the even one when two are as near', () => {
    const between = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, Number.NaN);
    const rounded = widened(widenBfloat16, narrowToBfloat16(between));
    expect([...rounded]).toEqual([1, 1 + 2 ** -6, 1 + 2 ** -7, Number.NaN]);
  });
});
