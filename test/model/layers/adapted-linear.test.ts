import { expect, test } from 'vitest';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { type Adapter, adaptedLinear } from '../../../src/model/layers/adapted-linear.ts';
import { type Feed, runEagerly } from '../../../src/model/ops/eager-ops.ts';
import { frozen, Tape, trained } from '../../../src/model/ops/tape.ts';
import { maximumDifference } from '../../helpers/jobs.ts';

const [rows, inputSize, outputSize, rank] = [24, 12, 20, 6];

function randomFeed(name: string, shape: number[]): Feed {
  const random = seededRandom(5).fork(name);
  const length = shape.reduce((product, size) => product * size, 1);
  return { shape, data: Float32Array.from({ length }, () => random.uniform() * 2 - 1) };
}

/** Value and gradients; dropout that keeps everything changes nothing but keeps the adapter's products apart. */
function layer(apart: boolean) {
  return runEagerly(
    (ops, { x, weight, a, b, mask }) => {
      const tape = new Tape(ops);
      const [input, down, up] = [trained(x as never), trained(a as never), trained(b as never)];
      const dropout = apart ? { kept: ops.greaterEqual(mask as never, ops.scalar(0)), scaling: 1 } : undefined;
      const adapter: Adapter = { a: down, b: up, scaling: 2, dropout };
      const y = adaptedLinear(tape, input, frozen(weight as never), adapter);
      const loss = tape.record([y], ops.sum(ops.square(y.value), [0, 1]), () => [ops.scale(y.value, 2)]);
      const [toX, toA, toB] = tape.gradients(loss, [input, down, up]) as [never, never, never];
      return { y: y.value, toX, toA, toB };
    },
    {
      x: randomFeed('x', [rows, inputSize]),
      weight: randomFeed('weight', [outputSize, inputSize]),
      a: randomFeed('a', [rank, inputSize]),
      b: randomFeed('b', [outputSize, rank]),
      mask: { shape: [rows, inputSize], data: new Float32Array(rows * inputSize).fill(1) },
    },
  );
}

test('merged in the step or apart, an adapter gives the same values and gradients', () => {
  const [merged, apart] = [layer(false), layer(true)];
  for (const name of ['y', 'toX', 'toA', 'toB'] as const) {
    const wanted = apart[name] as Float32Array;
    const size = Math.max(...wanted.map(Math.abs));
    expect(size, name).toBeGreaterThan(1);
    expect(maximumDifference(merged[name] as Float32Array, wanted) / size, name).toBeLessThan(1e-5);
  }
});
