// Runs the long tests (*.long.test.ts), each file on its own, two at a time, as long as there is time; on a slow machine the
// last ones are skipped by name.
//
// Usage: node scripts/run-long-tests.mjs RESULTS MINUTES
// RESULTS: a folder, which gets a JSON report of vitest a file. MINUTES: after which none starts any more.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

const [results, minutes] = process.argv.slice(2);
const deadline = Date.now() + Number(minutes) * 60_000;
const atOnce = 2;
/** Those that take ten minutes and more on two slow cores come last. */
const longest = ['kill-real-trainer', 'run-commands', 'many-hosts', 'demo-on-many-hosts', 'package'];
/** For one that hangs. */
const mostMinutes = 25;

const nameOf = (file) => basename(file, '.long.test.ts');
const rank = (file) => longest.indexOf(nameOf(file));
const waiting = readdirSync('test', { recursive: true })
  .filter((name) => name.endsWith('.long.test.ts'))
  .map((name) => join('test', name))
  .sort((one, other) => rank(one) - rank(other) || one.localeCompare(other));

async function run(file) {
  if (Date.now() > deadline) {
    console.log(`Skipped: ${file}: ${minutes} minutes have gone`);
    return;
  }
  const output = join(results, `${nameOf(file)}.json`);
  const vitest = [
    'node_modules/vitest/vitest.mjs',
    'run',
    file,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${output}`,
  ];
  const env = { ...process.env, DATAENGINE_LONG_TESTS: '1' };
  const child = spawn(process.execPath, vitest, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env,
    timeout: mostMinutes * 60_000,
  });
  const [code, signal] = await once(child, 'exit');
  if (code === 0) return;
  console.log(`Failed: ${file}: ${signal ?? `exit code ${code}`}`);
  process.exitCode = 1;
}

async function runThoseThatWait() {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) await run(file);
}

await Promise.all(Array.from({ length: atOnce }, runThoseThatWait));
