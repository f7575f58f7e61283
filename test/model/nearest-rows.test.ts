import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { nearestRows } from '../../src/model/nearest-rows.ts';
import { nativeBinding } from '../../src/model/ops/tensorflow.ts';

const WIDTH = 4;
const random = seededRandom('nearest-rows');
const matrix = (rows: number) => Float32Array.from({ length: rows * WIDTH }, () => random.uniform() - 0.5);

function byProduct(rows: Float32Array, query: Float32Array, count: number): number[] {
  const product = (row: number) =>
    query.reduce((sum, value, column) => sum + value * (rows[row * WIDTH + column] ?? 0), 0);
  const scores = Array.from({ length: rows.length / WIDTH }, (_, row) => ({ row, score: product(row) }));
  return scores
    .sort((left, right) => right.score - left.score)
    .slice(0, count)
    .map(({ row }) => row);
}

describe('nearestRows', () => {
  it('finds the rows of the greatest products, over several blocks', async () => {
    const [rows, queries] = [matrix(40_000), matrix(3)];
    const found = await nearestRows({ rows, queries, width: WIDTH, count: 25 });
    for (const [index, list] of found.entries()) {
      const query = queries.subarray(index * WIDTH, (index + 1) * WIDTH);
      expect(new Set(list)).toEqual(new Set(byProduct(rows, query, 25)));
    }
  });

  it('gives all rows when there are fewer, and leaves no tensor behind', async () => {
    const before = nativeBinding().getNumOfTensors();
    const found = await nearestRows({ rows: matrix(3), queries: matrix(2), width: WIDTH, count: 10 });
    expect(found.map((list) => [...list].sort())).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    expect(await nearestRows({ rows: matrix(3), queries: matrix(0), width: WIDTH, count: 10 })).toEqual([]);
    expect(nativeBinding().getNumOfTensors()).toBe(before);
  });
});
