/** The processes that compute the steps of a CPU worker. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { createCpuActivities } from '../../activities/cpu.ts';
import { openStepProcesses, type StopLimits } from '../../activities/step-processes.ts';
import { stepEnvironment } from '../../src/core/child-environment.ts';
import { usualWorkerSettings } from '../../src/core/worker-settings.ts';
import { stepProcess } from '../../workers/create-worker.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { dependencies } from '../workflows/worker-activities.ts';
import { longestHold, writeLargeRun } from './large-data.ts';
import type { ToSave } from './stuck-process.ts';

const processes = openStepProcesses({ entry: stepProcess, environment: stepEnvironment(dependencies.settings) });
const activities = createCpuActivities({ ...dependencies, processes });
afterAll(() => processes.close());

test('a step with 100,000 records does not hold the event loop of the worker; cancellation ends it', async () => {
  const runDirectory = await writeLargeRun(await temporaryFolder(), { records: 100_000, annotationBytes: 40e6 });
  const prepare = (environment: MockActivityEnvironment) =>
    environment.run(activities.prepareData, { runDirectory, round: 0 });

  const canceled = new MockActivityEnvironment();
  setTimeout(() => canceled.cancel(), 1000);
  await expect(prepare(canceled)).rejects.toThrow(CancelledFailure);

  const started = performance.now();
  const hold = await longestHold(async () =>
    expect(await prepare(new MockActivityEnvironment())).toHaveProperty('images'),
  );
  // In the worker's own thread the step would hold it for about as long as it takes.
  expect(hold).toBeLessThan((performance.now() - started) / 4);
});

test('an error keeps its type, its words and that it must not be retried', async () => {
  const reference = { runDirectory: await temporaryFolder(), round: 0 };
  const error = await new MockActivityEnvironment()
    .run(activities.classify, reference)
    .catch((thrown: Error) => thrown);
  expect(error).toBeInstanceOf(ApplicationFailure);
  expect(error).toMatchObject({ type: 'InputError', nonRetryable: true });
  expect((error as Error).message).toContain('config.json: no such file');
});

const workersEnvironment = {
  PATH: process.env.PATH,
  MY_MODEL: '/models/mine',
  AWS_SECRET_ACCESS_KEY: 'of the store',
  OPENAI_API_KEY: 'of the teacher',
  MATTERMOST: 'http://localhost/hook',
  OTHER_API_KEY: 'x',
  TEMPORAL_ADDRESS: 'x',
  TEMPORAL_TLS_CLIENT_KEY_DATA: 'x',
  DATAENGINE_PAYLOAD_KEY: 'x',
  DATAENGINE_PAYLOAD_KEY_FILE: 'x',
};
const settings = { ...usualWorkerSettings(), webhooks: ['MATTERMOST'] };
const environment = stepEnvironment(settings, workersEnvironment);

test('a process has the secrets that the settings list and those of stores, not the payload key and Temporal’s', async () => {
  const { signal } = new AbortController();
  const stuck = openStepProcesses({ entry: new URL('stuck-process.ts', import.meta.url), environment });
  const names = await stuck.run('environment', undefined, { signal, onProgress: () => undefined });
  expect([...(names as string[])].sort()).toEqual([
    'AWS_SECRET_ACCESS_KEY',
    'MATTERMOST',
    'MY_MODEL',
    'OPENAI_API_KEY',
    'PATH',
  ]);
  stuck.close();
});

test('a process that computes without end is killed within five seconds, and another one takes its place', async () => {
  const stuck = openStepProcesses({ entry: new URL('stuck-process.ts', import.meta.url), environment });
  const options = (signal: AbortSignal) => ({ signal, onProgress: () => undefined });
  const controller = new AbortController();
  const work = stuck.run('forever', undefined, options(controller.signal));
  setTimeout(() => controller.abort(new Error('canceled')), 2000);
  const started = performance.now();
  await expect(work).rejects.toThrow('canceled');
  expect(performance.now() - started).toBeLessThan(7000);
  const { signal } = new AbortController();
  expect(await stuck.run('echo', 1, options(signal))).toBe(1);
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const pids = new Set<unknown>();
  for (let task = 0; task < 20; task += 1) pids.add(await stuck.run('pid', task, options(signal)));
  expect(pids.size, 'a process is used again').toBe(1);
  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
  await expect(stuck.run('exit', 1, options(signal))).rejects.toMatchObject({
    type: 'StepProcessEnded',
    nonRetryable: false,
    message: 'the process that computed exit was ended by exit code 3',
  });
  stuck.close();
});

describe('a canceled task whose work has ended', () => {
  const entry = new URL('stuck-process.ts', import.meta.url);
  /** Cancels a task that takes so long to save what it did. @returns the error, how long it took, and what was saved */
  async function cancelWhileSaving({ milliseconds, worked = false }: Partial<ToSave>, limits?: StopLimits) {
    const saving = openStepProcesses({ entry, ...(limits && { limits }) });
    onTestFinished(() => saving.close());
    const file = join(await temporaryFolder(), 'saved');
    const controller = new AbortController();
    // Once it has an answer, the process does not have to start first.
    await saving.run('echo', 1, { signal: controller.signal, onProgress: () => undefined });
    const work = saving.run(
      'save',
      { file, milliseconds, worked },
      { signal: controller.signal, onProgress: () => undefined },
    );
    await sleep(200);
    controller.abort(new Error('canceled'));
    const started = performance.now();
    await expect(work).rejects.toThrow('canceled');
    return { took: performance.now() - started, saved: await readFile(file, 'utf8').catch(() => undefined) };
  }

  test('saves for longer than it may compute', async () => {
    const { took, saved } = await cancelWhileSaving({ milliseconds: 6000 });
    expect(saved).toBe('saved');
    expect(took).toBeGreaterThan(5900);
  });

  test('saves as long when its work had ended before it was canceled', async () => {
    const limits = { stopMilliseconds: 500, saveMilliseconds: 30_000 };
    const { took, saved } = await cancelWhileSaving({ milliseconds: 4000, worked: true }, limits);
    expect(saved).toBe('saved');
    expect(took).toBeGreaterThan(1500);
  });

  test('is killed when saving takes too long', async () => {
    const { took, saved } = await cancelWhileSaving(
      { milliseconds: 60_000 },
      { stopMilliseconds: 500, saveMilliseconds: 2000 },
    );
    expect(saved).toBeUndefined();
    expect(took).toBeGreaterThan(1900);
    expect(took).toBeLessThan(6000);
  });
});

test('a process whose heap is full ends with an error that names the limit, and the next task has another one', async () => {
  const small = openStepProcesses({ entry: new URL('stuck-process.ts', import.meta.url), heapMegabytes: 100 });
  onTestFinished(() => small.close());
  const options = { signal: new AbortController().signal, onProgress: () => undefined };
  await expect(small.run('fill-heap', 1, options)).rejects.toMatchObject({
    type: 'StepProcessEnded',
    nonRetryable: false,
    message:
      'the process that computed fill-heap was ended by SIGABRT. It may have lacked memory: see limits.stepMegabytes',
  });
  expect(await small.run('echo', 1, options)).toBe(1);
});
