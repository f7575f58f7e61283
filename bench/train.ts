/**
 * A LoRA training step, ours against PyTorch's: the same model, batch, learning rate and number of threads,
 * float32, in turns. On a processor that has bfloat16 products, those against PyTorch's autocast too.
 *
 * Usage: npm run bench:train [-- --sizes S,M --repeats 15 --threads N --python PATH --compile]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { seededRandom } from '../src/core/seeded-random.ts';
import { BATCHES, benchModel, type Size, vocabularyOf } from './pytorch/models.ts';
import type { Side, Timing } from './pytorch/side.ts';
import { BFLOAT16, BFLOAT16_TOLERANCE, startBfloat16Sides, startOurs, startPyTorch } from './pytorch/sides.ts';
import { median } from './support/statistics.ts';

const { values: flags } = parseArgs({
  options: {
    sizes: { type: 'string', default: 'S,M' },
    repeats: { type: 'string' },
    python: { type: 'string' },
    threads: { type: 'string', default: `${availableParallelism()}` },
    compile: { type: 'boolean', default: false },
  },
});
const WARM_UP = 3;
/** Turns, and steps a turn: a turn lasts long enough to be measured, and short enough that both sides see the same load. */
const REPEATS = { S: { turns: 25, steps: 4 }, M: { turns: 9, steps: 1 } } as const;
/** The two must compute the same thing for their times to be comparable. */
const LOSS_TOLERANCE = 1e-3;

interface Measured {
  seconds: number[];
  cpuSeconds: number[];
  losses: number[];
  peak?: number;
}

function requests(size: Size) {
  const { batch, tokens } = BATCHES[size];
  const random = seededRandom(`bench-${size}`);
  return () => ({
    tokens: Array.from({ length: batch }, () =>
      Array.from({ length: tokens }, () => random.integer(vocabularyOf(size))),
    ),
    answerStart: Math.floor((tokens * 2) / 3),
    learningRate: 1e-3,
  });
}

async function compare(size: Size, sides: Record<string, Side>): Promise<Map<string, Measured>> {
  const next = requests(size);
  const measured = new Map(
    Object.keys(sides).map((name): [string, Measured] => [name, { seconds: [], cpuSeconds: [], losses: [] }]),
  );
  const turn = async (steps: number, isMeasured: boolean) => {
    const batches = Array.from({ length: steps }, next);
    for (const [name, side] of Object.entries(sides)) {
      const result = measured.get(name) as Measured;
      let seconds = 0;
      let cpuSeconds = 0;
      for (const request of batches) {
        const answer = await side.ask<{ loss: number } & Timing>(request);
        result.losses.push(answer.loss);
        seconds += answer.seconds / steps;
        cpuSeconds += answer.cpuSeconds / steps;
      }
      if (isMeasured) {
        result.seconds.push(seconds);
        result.cpuSeconds.push(cpuSeconds);
      }
    }
  };
  await turn(WARM_UP, false);
  const { turns, steps } = REPEATS[size];
  const count = flags.repeats ? Number(flags.repeats) : turns;
  for (let index = 0; index < count; index++) await turn(steps, true);
  for (const [name, side] of Object.entries(sides)) (measured.get(name) as Measured).peak = side.peakMegabytes();
  return measured;
}

const ratio = (ours: readonly number[], theirs: readonly number[]) =>
  median(ours.map((value, index) => value / (theirs[index] as number)));
const rounded = (value: number) => Math.round(value * 1000) / 1000;

/** Ours over PyTorch's, of two sides that were to compute the same. */
function ratios(size: Size, ours: Measured, pytorch: Measured, tolerance: number) {
  const difference = Math.max(...ours.losses.map((loss, step) => Math.abs(loss - (pytorch.losses[step] as number))));
  if (!(difference < tolerance)) {
    throw new Error(`size ${size}: the losses differ by ${difference}: the two sides do not train the same model`);
  }
  const memoryRatio = ours.peak && pytorch.peak ? rounded(ours.peak / pytorch.peak) : null;
  return { difference, timeRatio: rounded(ratio(ours.seconds, pytorch.seconds)), memoryRatio };
}

function report(size: Size, measured: Map<string, Measured>) {
  const ours = measured.get('ours') as Measured;
  const pytorch = measured.get('PyTorch') as Measured;
  const { difference, ...found } = ratios(size, ours, pytorch, LOSS_TOLERANCE);
  console.log(`\nsize ${size}: milliseconds a step, median of ${ours.seconds.length} turns`);
  for (const [name, { seconds, cpuSeconds, peak }] of measured) {
    const columns = [
      name.padEnd(24),
      `${(median(seconds) * 1000).toFixed(1)}`.padStart(8),
      `processor ${(median(cpuSeconds) * 1000).toFixed(1)}`.padStart(18),
      peak === undefined ? '' : `peak ${peak.toFixed(0)} MiB`.padStart(16),
      `time / PyTorch ${ratio(seconds, pytorch.seconds).toFixed(3)}`,
    ];
    console.log(columns.join('  '));
  }
  console.log(`losses of ${ours.losses.length} steps differ by at most ${difference.toExponential(1)}`);
  const narrow = measured.get(BFLOAT16.ours);
  if (!narrow) return found;
  const { difference: apart, ...bfloat16 } = ratios(
    size,
    narrow,
    measured.get(BFLOAT16.pytorch) as Measured,
    BFLOAT16_TOLERANCE,
  );
  console.log(
    `in bfloat16 by at most ${apart.toExponential(1)}; time / PyTorch's autocast ${bfloat16.timeRatio}, memory ${bfloat16.memoryRatio}`,
  );
  return { ...found, bfloat16 };
}

const results: Record<string, unknown> = {};
for (const size of flags.sizes.split(',') as Size[]) {
  const settings = { task: 'train', ...(await benchModel(size)), ...flags } as const;
  const sides: Record<string, Side> = {
    ours: await startOurs(settings),
    PyTorch: await startPyTorch(settings),
    ...(await startBfloat16Sides(settings)),
  };
  if (flags.compile) sides['PyTorch, torch.compile'] = await startPyTorch(settings, '--compile');
  try {
    results[size] = report(size, await compare(size, sides));
  } finally {
    for (const side of Object.values(sides)) side.close();
  }
}
console.log(JSON.stringify({ bench: 'train', ...results }));
