/**
 * The PyTorch trainer against what a user would run instead (`bench/pytorch/gpu.py`), in turns: a LoRA step, the start to the first
 * loss and the peak of memory against `transformers.Trainer` with PEFT, ranking against one forward of all choices, writing against
 * `generate`, merging against `merge_and_unload`. The model is a LLaVA-1.5 of random weights and 160 million parameters.
 *
 * Usage: npm run bench:torch [-- --size 150m --repeats 3 --python PATH]
 */
import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { pythonOfSetup } from '../src/core/setup-file.ts';
import { watchOthers } from './support/others.ts';
import { median } from './support/statistics.ts';

const { values: flags } = parseArgs({
  options: {
    size: { type: 'string', default: '150m' },
    repeats: { type: 'string', default: '3' },
    python: { type: 'string' },
  },
});
const program = fileURLToPath(new URL('pytorch/gpu.py', import.meta.url));
const python = flags.python ?? (await pythonOfSetup('torch'));
const work = '.cache/bench/torch';
const sides = ['ours', 'peer'] as const;
const measured = ['finetune', 'merge', 'ranking', 'writing'] as const;

/** What the program says of a phase. */
interface Figures {
  seconds: number;
  startSeconds?: number;
  peakMiB?: number;
  losses?: [first: number, last: number];
  error?: string;
}

async function run(phase: string): Promise<Figures> {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
  const { stdout } = await promisify(execFile)(python, [program, work, flags.size, phase], { env }).catch(
    (error) => error,
  );
  const line = String(stdout).trim().split('\n').at(-1);
  const figures = JSON.parse(line || '{"error":"it said nothing"}') as Figures;
  if (figures.error !== undefined) throw new Error(`${phase}: ${figures.error}`);
  console.log(`${phase}: ${line}`);
  return figures;
}

const found = { ours: new Map<string, Figures[]>(), peer: new Map<string, Figures[]>() };
const others = watchOthers();
await rm(work, { recursive: true, force: true });
await mkdir(work, { recursive: true });
try {
  await run('files');
  for (let turn = 0; turn < Number(flags.repeats); turn += 1) {
    for (const what of measured) {
      // Who comes first changes from turn to turn, but for the adapter, which ours writes.
      const order = turn % 2 === 0 ? sides : sides.toReversed();
      for (const side of order) {
        found[side].set(what, [...(found[side].get(what) ?? []), await run(`${side} ${what}`)]);
      }
    }
  }
} finally {
  await rm(work, { recursive: true, force: true });
}

/** Ours over theirs, the median of the turns. */
function ratio(what: (typeof measured)[number], figure: 'seconds' | 'startSeconds' | 'peakMiB'): number {
  const of = (side: (typeof sides)[number]) => (found[side].get(what) ?? []).map((one) => one[figure] as number);
  const theirs = of('peer');
  return Number(median(of('ours').map((value, turn) => value / (theirs[turn] as number))).toFixed(3));
}

const seen = others();
if (seen && !seen.idle) {
  console.log(`the machine is not idle: others took ${Math.round(seen.share * 100)} % of it; times say little`);
}
console.log(
  JSON.stringify({
    bench: 'torch',
    step: ratio('finetune', 'seconds'),
    ranking: ratio('ranking', 'seconds'),
    writing: ratio('writing', 'seconds'),
    merge: ratio('merge', 'seconds'),
    start: ratio('finetune', 'startSeconds'),
    memory: ratio('finetune', 'peakMiB'),
    idle: seen?.idle ?? null,
  }),
);
