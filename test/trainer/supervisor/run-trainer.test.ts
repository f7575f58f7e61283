import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { processStartTime } from '../../../src/core/process-identity.ts';
import type { JobSpec, TrainerMessage } from '../../../src/trainer/protocol.ts';
import { killPreviousTrainer } from '../../../src/trainer/supervisor/fence.ts';
import { runTrainer } from '../../../src/trainer/supervisor/run-trainer.ts';
import { typescriptTrainer } from '../../../src/trainer/supervisor/trainer-command.ts';
import type { TrainerError } from '../../../src/trainer/supervisor/trainer-error.ts';
import type { Action } from './scripted-trainer.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'run-trainer-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const job: JobSpec = { kind: 'embed', model: '/model', images: [], output: '/out' };

interface Options {
  signal?: AbortSignal;
  stallTimeoutSeconds?: number;
  graceSeconds?: number;
  onMessage?: (message: TrainerMessage) => void;
}

function runScript(script: Action[], options: Options = {}) {
  const command = typescriptTrainer(fileURLToPath(new URL('./scripted-trainer.ts', import.meta.url)));
  command.environment = { TRAINER_SCRIPT: JSON.stringify(script) };
  return runTrainer({ job, directory, command, stallTimeoutSeconds: 30, ...options });
}

/** As an attempt of a step does. */
async function killAndRun(script: Action[]) {
  await killPreviousTrainer(directory);
  return runScript(script);
}

async function failureOf(promise: Promise<unknown>): Promise<TrainerError> {
  return promise.then(
    () => {
      throw new Error('expected a failure');
    },
    (error) => error,
  );
}

const done: Action = { say: { type: 'done', outputs: ['a.txt'], metrics: { loss: 0.5 } } };
const pidFile = () => join(directory, 'pid');
const isAlive = async (file = pidFile()) =>
  (await processStartTime(Number(await readFile(file, 'utf8')))) !== undefined;

async function waitForFile(file: string): Promise<void> {
  for (;;) {
    if (await readFile(file, 'utf8').catch(() => '')) return;
    await sleep(20);
  }
}

test('passes each message on and returns the outcome', async () => {
  const messages: TrainerMessage[] = [];
  const progress: TrainerMessage = { type: 'progress', step: 1, steps: 2, loss: 1.5 };
  const result = await runScript(
    [{ say: { type: 'started' } }, { print: 'hello' }, { complain: 'careful' }, { say: progress }, done],
    { onMessage: (message) => messages.push(message) },
  );
  expect(result).toEqual({ outputs: ['a.txt'], metrics: { loss: 0.5 } });
  expect(messages.map((message) => message.type)).toEqual(['started', 'progress', 'done']);
  expect(messages[1]).toEqual(progress);
  const log = await readFile(join(directory, 'trainer.log'), 'utf8');
  expect(log).toContain('hello');
  expect(log).toContain('careful');
});

test('an exit without done is retryable and quotes the last log lines', async () => {
  const error = await failureOf(runScript([{ complain: 'CUDA went away' }, { exit: 3 }]));
  expect(error).toMatchObject({ name: 'TrainerError', kind: 'crashed', retryable: true });
  expect(error.message).toContain('exited with code 3');
  expect(error.message).toContain('CUDA went away');
});

test('an error quotes no escape sequences and control characters of the log, which has them as they came', async () => {
  const orders = '\u001b]52;c;cm0gLXJm\u0007\u001b[2Jlost\r the\u009b1m GPU\u202e\u0000';
  const error = await failureOf(runScript([{ complain: orders }, { print: orders }, { exit: 3 }]));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  expect(error.message).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/);
  expect(error.message.match(/lost/g)).toHaveLength(2);
  const failed: Action = { say: { type: 'failed', kind: 'input', retryable: false, message: orders } };
  expect((await failureOf(runScript([failed, { exit: 1 }]))).message).toBe('lost the GPU');
  expect(await readFile(join(directory, 'trainer.log'), 'utf8')).toContain('\u001b]52;c;cm0gLXJm');
});

test('a killed trainer is retryable', async () => {
  const error = await failureOf(runScript([{ die: 'SIGKILL' }, { hang: true }]));
  expect(error).toMatchObject({ kind: 'crashed', retryable: true });
  expect(error.message).toContain('SIGKILL');
});

test('the failure that the trainer reports is kept', async () => {
  const failed: TrainerMessage = { type: 'failed', kind: 'input', message: 'x.jpg: truncated', retryable: false };
  const error = await failureOf(runScript([{ say: failed }, { exit: 1 }]));
  expect(error).toMatchObject({ kind: 'input', retryable: false, message: 'x.jpg: truncated' });
});

test('a step that does not advance counts as stalled although messages come', async () => {
  const error = await failureOf(
    runScript([{ writePid: pidFile() }, { repeatProgress: 50 }], { stallTimeoutSeconds: 8 }),
  );
  expect(error).toMatchObject({ kind: 'stalled', retryable: true });
  expect(error.message).toContain('after step 3');
  expect(await isAlive()).toBe(false);
});

test('canceling stops the trainer and what it started, even when SIGTERM is ignored', async () => {
  const canceling = new AbortController();
  const helper = join(directory, 'helper');
  const run = runScript([{ ignoreTerm: true }, { writePid: pidFile() }, { startHelper: helper }, { hang: true }], {
    signal: canceling.signal,
    graceSeconds: 0.3,
  });
  const failure = failureOf(run);
  await waitForFile(helper);
  canceling.abort(new Error('changed my mind'));
  expect((await failure).message).toBe('changed my mind');
  expect(await isAlive()).toBe(false);
  await sleep(50);
  expect(await isAlive(helper)).toBe(false);
});

test('a trainer that never exits after done is stopped and its result kept', async () => {
  const result = await runScript([{ writePid: pidFile() }, done, { ignoreTerm: true }, { hang: true }], {
    graceSeconds: 0.2,
  });
  expect(result.outputs).toEqual(['a.txt']);
  expect(await isAlive()).toBe(false);
});

test('the error of a program that cannot be started names it', async () => {
  const command = { program: '/nowhere/torchrun', arguments: [] };
  const error = await failureOf(runTrainer({ job, directory, command, stallTimeoutSeconds: 5 }));
  expect(error.message).toContain('/nowhere/torchrun');
});

test('a previous trainer that still writes to the folder is killed before a new one starts', async () => {
  const canceling = new AbortController();
  const first = failureOf(runScript([{ writePid: pidFile() }, { hang: true }], { signal: canceling.signal }));
  await waitForFile(pidFile());
  await waitForFile(join(directory, 'trainer.pid.json'));
  await killAndRun([done]);
  expect((await first).message).toContain('SIGKILL');
  expect(await readFile(join(directory, 'trainer.log'), 'utf8')).toContain('killed the previous trainer');
});

test('another process that was given the pid of a previous trainer is left alone', async () => {
  const fence = { host: (await import('node:os')).hostname(), pid: process.pid, startTime: 'long ago' };
  await writeFile(join(directory, 'trainer.pid.json'), JSON.stringify(fence));
  await expect(killAndRun([done])).resolves.toBeDefined();
});

const fenceFile = () => join(directory, 'trainer.pid.json');

test('a trainer whose fence another attempt took is killed, and its late result counts for nothing', async () => {
  const first = failureOf(runScript([{ writePid: pidFile() }, { ignoreTerm: true }, { hang: true }]));
  await waitForFile(fenceFile());
  await waitForFile(pidFile());
  const others = JSON.stringify({ host: 'another-host', pid: 1, startTime: 'then' });
  await writeFile(fenceFile(), others);
  expect(await first).toMatchObject({ kind: 'internal', retryable: true });
  expect((await first).message).toContain('another attempt started');
  expect(await isAlive()).toBe(false);
  expect(await readFile(fenceFile(), 'utf8')).toBe(others);
});

test('a trainer on another host is given time to be stopped by the worker that watches it', async () => {
  await writeFile(fenceFile(), JSON.stringify({ host: 'another-host', pid: 1, startTime: 'then' }));
  const startedAt = performance.now();
  const run = killAndRun([done]);
  await sleep(500);
  expect(existsSync(fenceFile())).toBe(false);
  await run;
  expect(performance.now() - startedAt).toBeGreaterThan(5000);
});

describe('when the clock is set', () => {
  const day = 24 * 3600 * 1000;
  afterEach(() => void vi.useRealTimers());

  test.each([
    ['forwards', day],
    ['backwards', -day],
  ])('%s, a trainer that works is left alone', async (_, jump) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const run = runScript([{ say: { type: 'started' } }, { writePid: pidFile() }, { sleep: 1500 }, done]);
    await waitForFile(pidFile());
    vi.setSystemTime(Date.now() + jump);
    expect((await run).outputs).toEqual(['a.txt']);
  });

  test.each([
    ['forwards', day],
    ['backwards', -day],
  ])('%s, a trainer that is stuck is noticed after the same time', async (_, jump) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const startedAt = performance.now();
    const run = failureOf(runScript([{ writePid: pidFile() }, { repeatProgress: 50 }], { stallTimeoutSeconds: 4 }));
    await waitForFile(pidFile());
    vi.setSystemTime(Date.now() + jump);
    expect(await run).toMatchObject({ kind: 'stalled' });
    expect(performance.now() - startedAt).toBeGreaterThan(4000);
    expect(await isAlive()).toBe(false);
  });

  test.each([
    ['forwards', day],
    ['backwards', -day],
  ])('%s, the previous trainer is still recognized, and killed before the next', async (_, jump) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const first = failureOf(runScript([{ writePid: pidFile() }, { hang: true }]));
    await waitForFile(pidFile());
    await waitForFile(fenceFile());
    vi.setSystemTime(Date.now() + jump);
    await killAndRun([done]);
    expect((await first).kind).toBe('crashed');
    expect(await isAlive()).toBe(false);
  });
});
