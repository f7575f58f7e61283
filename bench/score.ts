/**
 * Scoring a question with four choices at SmolLM2-135M's size: ours, which runs the prompt once for all choices,
 * against four full forwards in PyTorch, in turns, on the same number of threads, float32.
 *
 * Usage: npm run bench:score [-- --repeats 15 --threads N --python PATH]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { seededRandom } from '../random/seeded-random.ts';
import { benchModel, vocabularyOf } from './models.ts';
import type { Timing } from './side.ts';
import { startOurs, startPyTorch } from './sides.ts';
import { median } from './statistics.ts';

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
const ours = await startOurs(settings);
const pytorch = await startPyTorch(settings);

const random = seededRandom('bench-score');
const tokens = (count: number) => Array.from({ length: count }, () => random.integer(vocabularyOf('M')));
type Answer = { losses: number[] } & Timing;
const shared: Answer[] = [];
const oneByOne: Answer[] = [];
const batched: Answer[] = [];
try {
  for (let turn = 0; turn < WARM_UP + Number(flags.repeats); turn++) {
    const question = {
      prompt: tokens(PROMPT_TOKENS),
      choices: Array.from({ length: CHOICES }, () => tokens(CHOICE_TOKENS)),
    };
    const found = [
      await ours.ask<Answer>(question),
      await pytorch.ask<Answer>({ ...question, batched: false }),
      await pytorch.ask<Answer>({ ...question, batched: true }),
    ] as const;
    for (const other of found.slice(1)) {
      const difference = Math.max(...other.losses.map((loss, index) => Math.abs(loss - (found[0].losses[index] ?? 0))));
      if (!(difference < LOSS_TOLERANCE)) throw new Error(`the losses differ by ${difference}`);
    }
    if (turn < WARM_UP) continue;
    shared.push(found[0]);
    oneByOne.push(found[1]);
    batched.push(found[2]);
  }
} finally {
  ours.close();
  pytorch.close();
}

const milliseconds = (answers: Answer[], key: keyof Timing) =>
  (median(answers.map((answer) => answer[key])) * 1000).toFixed(0).padStart(7);
const speedup = (theirs: Answer[], key: keyof Timing) =>
  median(theirs.map((answer, turn) => answer[key] / (shared[turn] as Answer)[key]));
console.log(`a question, milliseconds, median of ${shared.length} turns; ${flags.threads} threads`);
for (const [name, answers] of [
  ['ours, prompt once', shared],
  ['PyTorch, choice by choice', oneByOne],
  ['PyTorch, choices as a batch', batched],
] as const) {
  console.log(
    `${name.padEnd(28)}${milliseconds(answers, 'seconds')}   processor${milliseconds(answers, 'cpuSeconds')}` +
      `   ours is ${speedup(answers, 'seconds').toFixed(2)} times as fast (${speedup(answers, 'cpuSeconds').toFixed(2)} by processor time)`,
  );
}
// Against the faster of PyTorch's two ways.
const rounded = Math.round(Math.min(speedup(oneByOne, 'seconds'), speedup(batched, 'seconds')) * 100) / 100;
console.log(JSON.stringify({ bench: 'score', speedup: rounded }));
