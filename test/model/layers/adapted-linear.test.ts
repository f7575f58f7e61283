import { expect, test } from 'vitest';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { type Adapter, adaptedLinear } from '../../../src/model/layers/adapted-linear.ts';
import { type Feed, runEagerly } from '../../../src/model/ops/eager-ops.ts';
import { frozen, Tape, trained, type Variable } from '../../../src/model/ops/tape.ts';
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

/** DoRA with a dropout mask, against the formula of PEFT's `DoraLinearLayer` written out, gradients by differences. */
test('magnitudes scale what is kept, what drops out stays as the frozen weight has it, and gradients go to all factors', () => {
  const feeds = {
    x: randomFeed('x', [rows, inputSize]),
    weight: randomFeed('weight', [outputSize, inputSize]),
    a: randomFeed('a', [rank, inputSize]),
    b: randomFeed('b', [outputSize, rank]),
    magnitude: randomFeed('magnitude', [outputSize]),
    mask: randomFeed('mask', [rows, inputSize]),
  };
  const scaling = 2;
  const keptScaling = 1.5;
  const found = runEagerly((ops, { x, weight, a, b, magnitude, mask }) => {
    const tape = new Tape(ops);
    const [input, down, up, size] = [x, a, b, magnitude].map((value) => trained(value as never)) as [
      Variable,
      Variable,
      Variable,
      Variable,
    ];
    const dropout = { kept: ops.greaterEqual(mask as never, ops.scalar(0)), scaling: keptScaling };
    const adapter: Adapter = { a: down, b: up, scaling, magnitude: size, dropout };
    const y = adaptedLinear(tape, input, frozen(weight as never), adapter);
    const all = tape.record([y], ops.sum(ops.square(y.value), [0, 1]), () => [ops.scale(y.value, 2)]);
    const [toX, toA, toB, toMagnitude] = tape.gradients(all, [input, down, up, size]) as [never, never, never, never];
    return { y: y.value, toX, toA, toB, toMagnitude };
  }, feeds);

  const of = (values: Record<string, Feed>, norms?: number[]) => {
    const at = (name: string, row: number, column: number, width: number) =>
      ((values[name] as Feed).data as Float32Array)[row * width + column] as number;
    const update = (out: number, into: number) => {
      let sum = 0;
      for (let inner = 0; inner < rank; inner++) sum += at('b', out, inner, rank) * at('a', inner, into, inputSize);
      return scaling * sum;
    };
    const whole = Array.from({ length: outputSize }, (_, out) =>
      Array.from({ length: inputSize }, (_, into) => at('weight', out, into, inputSize) + update(out, into)),
    );
    const lengths = norms ?? whole.map((row) => Math.sqrt(row.reduce((sum, value) => sum + value * value, 0)));
    const y: number[] = [];
    for (let row = 0; row < rows; row++) {
      for (let out = 0; out < outputSize; out++) {
        const factor = at('magnitude', 0, out, outputSize) / (lengths[out] as number);
        let sum = 0;
        for (let into = 0; into < inputSize; into++) {
          const value = at('x', row, into, inputSize);
          const kept = at('mask', row, into, inputSize) >= 0 ? value * keptScaling : 0;
          const weight = at('weight', out, into, inputSize);
          sum += (value - kept) * weight + factor * kept * ((whole[out] as number[])[into] as number);
        }
        y.push(sum);
      }
    }
    return { y, lengths };
  };
  const { y, lengths } = of(feeds);
  expect(maximumDifference(found.y as Float32Array, y)).toBeLessThan(1e-4);
  const loss = (values: Record<string, Feed>) => of(values, lengths).y.reduce((sum, value) => sum + value * value, 0);
  for (const [name, gradient] of [
    ['x', found.toX],
    ['a', found.toA],
    ['b', found.toB],
    ['magnitude', found.toMagnitude],
  ] as const) {
    const { data, shape } = feeds[name] as { data: Float32Array; shape: number[] };
    const step = 1e-3;
    const moved = (by: number) =>
      loss({
        ...feeds,
        [name]: { shape, data: Float32Array.from(data, (value, place) => value + (place === 3 ? by : 0)) },
      });
    const slope = (moved(step) - moved(-step)) / (2 * step);
    const ours = (gradient as Float32Array)[3] as number;
    expect(Math.abs(slope - ours), name).toBeLessThan(0.02 * Math.max(1, Math.abs(slope)));
  }
});
