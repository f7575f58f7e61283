import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runningInGroup } from '../../../bench/support/processes.ts';
import { endingWithUs, startOwned } from '../../../demo/command/child-process.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'child-process-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const shell = (script: string) => ({
  name: 'shell',
  program: 'sh',
  arguments: ['-c', script],
  logFile: join(directory, 'log'),
});

test('writes output to the log, and reports how the process ended', async () => {
  const child = await startOwned(shell('echo out; echo err >&2; exit 3'));
  expect(await child.ended).toBe('exited with code 3');
  expect(await readFile(child.logFile, 'utf8')).toBe('out\nerr\n');
});

test('stopping waits for a clean end, then kills the whole group', async () => {
  const child = await startOwned(shell('trap "echo bye; exit 0" TERM; sleep 60 & while true; do sleep 0.05; done'));
  await sleep(200);
  await child.stop(5);
  expect(await readFile(child.logFile, 'utf8')).toBe('bye\n');
  await sleep(50);
  expect(await runningInGroup(child.pid)).toEqual([]);
});

test('one that ignores the request is killed after the grace period', async () => {
  const child = await startOwned(shell('trap "" TERM; while true; do sleep 0.05; done'));
  await sleep(200);
  await child.stop(0.2);
  expect(await child.ended).toBe('was ended by SIGKILL');
});

test('reports a program that cannot be started', async () => {
  const child = await startOwned({ ...shell(''), program: '/nowhere/temporal' });
  expect(await child.ended).toContain('could not be started');
  await child.stop();
});

test('a wrapped program ends when its parent is killed', async () => {
  const { program, arguments: wrapped } = endingWithUs('sleep', ['600']);
  const script = `
    const { spawn } = require('node:child_process');
    const child = spawn(${JSON.stringify(program)}, ${JSON.stringify(wrapped)}, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    console.log(child.pid);
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const group = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)));
  await sleep(200);
  expect(await runningInGroup(group)).not.toEqual([]);
  parent.kill('SIGKILL');
  for (let wait = 0; (await runningInGroup(group)).length > 0 && wait < 100; wait += 1) await sleep(50);
  expect(await runningInGroup(group)).toEqual([]);
});
