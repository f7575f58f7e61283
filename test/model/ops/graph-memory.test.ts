import { describe, expect, test } from 'vitest';
import { peakBytes } from '../../../src/model/ops/graph-memory.ts';
import { GraphOps, type GraphValue } from '../../../src/model/ops/graph-ops.ts';
import type { Value } from '../../../src/model/ops/value.ts';

const ROW = 1000 * 4;

/** The peak of a computation over a placeholder of 1,000 values. */
function peak(body: (ops: GraphOps, x: Value) => Value): number {
  const ops = new GraphOps();
  const result = body(ops, ops.placeholder([10, 100], 'float32'));
  return peakBytes(ops, [(result as GraphValue).output]);
}

describe('the memory of a graph', () => {
  test('values that are used again are kept, others are freed', () => {
    // Each product needs its two factors and itself.
    const chain = (ops: GraphOps, x: Value) => {
      const weight = ops.constant(new Float32Array(10_000), [100, 100]);
      let y = x;
      for (let index = 0; index < 5; index++) y = ops.matMul(y, weight);
      return y;
    };
    expect(peak(chain)).toBe(10 * ROW + 2 * ROW);
    expect(peak((ops, x) => ops.add(chain(ops, x), x))).toBe(10 * ROW + 3 * ROW);
  });

  test('elementwise operations write over values that are not needed again, and reshapes take no memory', () => {
    expect(peak((ops, x) => ops.exp(ops.square(ops.exp(x))))).toBe(ROW);
    expect(peak((ops, x) => ops.multiply(ops.exp(x), x))).toBe(2 * ROW);
    expect(peak((ops, x) => ops.reshape(ops.exp(x), [1000]))).toBe(ROW + 4);
  });

  test('the same computation twice is one; held back, it is two', () => {
    const both = (ops: GraphOps, x: Value, again: Value) =>
      ops.concat([ops.softmax(ops.exp(x)), ops.softmax(ops.exp(again))], 0);
    const once = peak((ops, x) => both(ops, x, x));
    const twice = peak((ops, x) => both(ops, x, ops.after(x, ops.square(x))));
    expect(twice).toBeGreaterThan(once);
  });

  test('what is not needed for the outputs does not count', () => {
    expect(
      peak((ops, x) => {
        ops.concat([x, x, x, x], 0);
        return ops.exp(x);
      }),
    ).toBe(ROW);
  });
});
