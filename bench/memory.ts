/**
 * Memory over training steps: resident memory of a process that trains for a thousand steps, and how much of it
 * came after the first hundred, in which allocators and caches fill up.
 *
 * Usage: npm run bench:memory [-- --steps 1000 --size S]
 */
import { parseArgs } from 'node:util';
import { seededRandom } from '../src/core/seeded-random.ts';
import { BATCHES, benchModel, type Size, vocabularyOf } from './pytorch/models.ts';
import { startOurs } from './pytorch/sides.ts';

const { values: flags } = parseArgs({
  options: { steps: { type: 'string', default: '1000' }, size: { type: 'string', default: 'S' } },
});
const steps = Number(flags.steps);
const size = flags.size as Size;
const WARM_UP = 100;
const EVERY = 100;

const { batch, tokens } = BATCHES[size];
const random = seededRandom('bench-memory');
const sequence = () => Array.from({ length: tokens }, () => random.integer(vocabularyOf(size)));
const side = await startOurs({ task: 'train', ...(await benchModel(size)), threads: '1' });
const megabytes: number[] = [];
try {
  for (let step = 1; step <= steps; step++) {
    const request = {
      tokens: Array.from({ length: batch }, sequence),
      answerStart: (tokens * 2) / 3,
      learningRate: 1e-3,
    };
    const { tensors } = await side.ask<{ tensors: number }>(request);
    if (step % EVERY !== 0) continue;
    side.resetPeak();
    const resident = side.peakMegabytes() ?? Number.NaN;
    if (step >= WARM_UP) megabytes.push(resident);
    console.log(`step ${step}: ${resident.toFixed(1)} MiB resident, ${tensors} tensors held`);
  }
} finally {
  side.close();
}
const [first = Number.NaN] = megabytes;
const growth = (megabytes.at(-1) ?? Number.NaN) - first;
const rounded = Math.round(growth * 10) / 10;
console.log(JSON.stringify({ bench: 'memory', steps, residentMegabytes: Math.round(first), grownMegabytes: rounded }));
