/**
 * Scoring a question with four choices at SmolLM2-135M's size: ours, which runs the prompt once for all choices,
 * against four full forwards in PyTorch, in turns, on the same number of threads, float32. On a processor that has
 * bfloat16 products, those too.
 *
 * Usage: npm run bench:score [-- --repeats 15 --threads N --python PATH]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { seededRandom } from '../src/core/seeded-random.ts';
import { benchModel, vocabularyOf } from './pytorch/models.ts';
import type { Side, Timing } from './pytorch/side.ts';
import { BFLOAT16, BFLOAT16_TOLERANCE, startBfloat16Sides, startOurs, startPyTorch } from './pytorch/sides.ts';
import { median } from './support/statistics.ts';

const PROMPT_TOKENS = 100;
const CHOICES = 4;
const CHOICE_TOKENS = 6;
const WARM_UP = 2;
/** The two must compute the same thing for their times to be comparable. */
const LOSS_TOLERANCE = 1e-3;

const { values: flags } = parseArgs({
  options: {
    repeats: { type: 'string', default: '15' },
    python: { type: 'string' },
    threads: { type: 'string', default: `${availableParallelism()}` },
  },
});
const { model } = await benchModel('M');
const settings = { task: 'score', model, ...flags } as const;
const sides: Record<string, Side> = {
  ours: await startOurs(settings),
  PyTorch: await startPyTorch(settings),
  ...(await startBfloat16Sides(settings)),
};
type Answer = { losses: number[] } & Timing;
/** What is measured: PyTorch in two ways, of which the faster one counts. */
const ways = Object.entries(sides).flatMap(([name, side]) =>
  name.startsWith('PyTorch')
    ? [
        { name: `${name}, choice by choice`, of: name, side, request: { batched: false } },
        { name: `${name}, choices as a batch`, of: name, side, request: { batched: true } },
      ]
    : [{ name, of: name, side, request: {} }],
);
const answers = new Map(ways.map(({ name }): [string, Answer[]] => [name, []]));
const random = seededRandom('bench-score');
const tokens = (count: number) => Array.from({ length: count }, () => random.integer(vocabularyOf('M')));
try {
  for (let turn = 0; turn < WARM_UP + Number(flags.repeats); turn++) {
    const question = {
      prompt: tokens(PROMPT_TOKENS),
      choices: Array.from({ length: CHOICES }, () => tokens(CHOICE_TOKENS)),
    };
    let expected: number[] | undefined;
    for (const { name, of, side, request } of ways) {
      const answer = await side.ask<Answer>({ ...question, ...request });
      expected ??= answer.losses;
      const difference = Math.max(...answer.losses.map((loss, index) => Math.abs(loss - (expected?.[index] ?? 0))));
      const tolerance = Object.values<string>(BFLOAT16).includes(of) ? BFLOAT16_TOLERANCE : LOSS_TOLERANCE;
      if (!(difference < tolerance)) throw new Error(`${name}: the losses differ by ${difference}`);
      if (turn >= WARM_UP) answers.get(name)?.push(answer);
    }
  }
} finally {
  for (const side of Object.values(sides)) side.close();
}

const measured = (name: string) => answers.get(name) ?? [];
const timesAsFast = (ours: string, theirs: string, key: keyof Timing = 'seconds') =>
  median(measured(theirs).map((answer, turn) => answer[key] / (measured(ours)[turn] as Answer)[key]));
console.log(`a question, milliseconds, median of ${flags.repeats} turns; ${flags.threads} threads`);
for (const [name, given] of answers) {
  const milliseconds = (key: keyof Timing) =>
    (median(given.map((answer) => answer[key])) * 1000).toFixed(0).padStart(7);
  console.log(
    `${name.padEnd(40)}${milliseconds('seconds')}   processor${milliseconds('cpuSeconds')}` +
      `   ours is ${timesAsFast('ours', name).toFixed(2)} times as fast (${timesAsFast('ours', name, 'cpuSeconds').toFixed(2)} by processor time)`,
  );
}
/** Against the faster of PyTorch's two ways. */
const speedup = (ours: string, pytorch: string) =>
  Math.round(Math.min(...ways.filter(({ of }) => of === pytorch).map(({ name }) => timesAsFast(ours, name))) * 100) /
  100;
const bfloat16 = answers.has(BFLOAT16.ours) && {
  bfloat16: {
    speedup: speedup(BFLOAT16.ours, 'PyTorch'),
    speedupOverAutocast: speedup(BFLOAT16.ours, BFLOAT16.pytorch),
  },
};
console.log(JSON.stringify({ bench: 'score', speedup: speedup('ours', 'PyTorch'), ...bfloat16 }));
