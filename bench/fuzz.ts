/**
 * Feeds everything that takes input from outside with random and with damaged valid inputs: inputs of workflows and
 * activities, records of stores and runs, requests to every server of ours, files. Each may take an input, or refuse it as it
 * refuses wrong input; anything else is a defect: another error, a hang, a changed prototype, a file touched outside.
 *
 * Usage: npm run fuzz -- --minutes 15 [--seed 1] [--only yaml]
 *        npm run fuzz -- --runs 500       a number of inputs for each target, however long they take
 * A failure prints the input, as small as it could be made, and the command that runs it again. Exit code 1.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { FuzzMessage, FuzzTask } from './fuzz/process.ts';
import { type FuzzOutcome, rerunCommand } from './fuzz/target.ts';
import { fuzzTargets } from './fuzz/targets.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    runs: { type: 'string' },
    seed: { type: 'string' },
    only: { type: 'string' },
    path: { type: 'string' },
    list: { type: 'boolean' },
  },
});

// Each input is a few files, which are flushed to the disk.
const inMemory = '/dev/shm';
const noSignMilliseconds = 40_000;
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : numberOf('seed', values.seed);
const minutes = numberOf('minutes', values.minutes ?? (values.runs || values.path ? '600' : '1'));
const runs = values.runs === undefined ? undefined : numberOf('runs', values.runs);
const names = fuzzTargets.map(({ name }) => name).filter((name) => values.only === undefined || values.only === name);
if (names.length === 0) {
  console.error(`There is no target ${values.only}. There are: ${fuzzTargets.map(({ name }) => name).join(', ')}`);
  process.exit(1);
}
if (values.list) {
  console.log(names.join('\n'));
  process.exit(0);
}

const endsAt = performance.now() + minutes * 60_000;
const failed: string[] = [];
let inputs = 0;
let left = names;
console.log(`seed ${seed}, ${names.length} targets`);
while (left.length > 0) left = await work(left);
console.log(JSON.stringify({ fuzz: { seed, targets: names.length, inputs, failed } }));
process.exit(failed.length > 0 ? 1 : 0);

/** Works through targets in a process. @returns those that are left when it ended before its last target */
async function work(targets: string[]): Promise<string[]> {
  const folder = await mkdtemp(join(existsSync(inMemory) ? inMemory : tmpdir(), 'dataengine-fuzz-'));
  const milliseconds = Math.max(0, endsAt - performance.now());
  const task: FuzzTask = { names: targets, seed, path: values.path, runs, milliseconds, folder };
  const child = fork(fileURLToPath(new URL('./fuzz/process.ts', import.meta.url)), [JSON.stringify(task)]);
  let done = 0;
  let number = 0;
  let hangs = false;
  const kill = () => {
    hangs = true;
    child.kill('SIGKILL');
  };
  let watch = setTimeout(kill, noSignMilliseconds);
  child.on('message', (message: FuzzMessage) => {
    clearTimeout(watch);
    watch = setTimeout(kill, noSignMilliseconds);
    if ('number' in message) number = message.number;
    else {
      done += 1;
      number = 0;
      report(message.outcome);
    }
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  clearTimeout(watch);
  await rm(folder, { recursive: true, force: true });
  const name = targets[done];
  if (name === undefined) return [];
  const problem = hangs
    ? `works for more than ${noSignMilliseconds / 1000} s`
    : `ended the process (${signal ?? code})`;
  const command = rerunCommand(name, seed, values.path ?? String(number));
  report({ name, inputs: number, seconds: 0, failure: { problem, input: '(it can only be run again)', command } });
  return targets.slice(done + 1);
}

function report({ name, inputs: count, seconds, failure }: FuzzOutcome): void {
  inputs += count;
  console.log(
    `${failure ? '✗' : '✓'} ${name.padEnd(28)} ${String(count).padStart(7)} inputs in ${seconds.toFixed(1)} s`,
  );
  if (failure === undefined) return;
  failed.push(name);
  console.log(`  ${failure.problem}\n  input: ${failure.input}\n  again: ${failure.command}`);
}

function numberOf(option: string, text: string): number {
  const number = Number(text);
  if (Number.isFinite(number) && number >= 0) return number;
  console.error(`--${option} takes a number, not ${text}`);
  process.exit(1);
}
