/** The processes that compute the steps of a CPU worker. */

import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, expect, test } from 'vitest';
import { createCpuActivities } from '../../activities/cpu.ts';
import { openStepProcesses } from '../../activities/step-processes.ts';
import { stepProcess } from '../../workers/create-worker.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { dependencies } from '../workflows/worker-activities.ts';
import { longestHold, writeLargeRun } from './large-data.ts';

const processes = openStepProcesses({ entry: stepProcess });
const activities = createCpuActivities({ ...dependencies, processes });
afterAll(() => processes.close());

test('a step with 100,000 records does not hold the event loop of the worker; cancellation ends it', async () => {
  const runDirectory = await writeLargeRun(await temporaryFolder(), { records: 100_000, annotationBytes: 40e6 });
  const prepare = (environment: MockActivityEnvironment) =>
    environment.run(activities.prepareData, { runDirectory, round: 0 });

  const canceled = new MockActivityEnvironment();
  const started = performance.now();
  setTimeout(() => canceled.cancel(), 1000);
  await expect(prepare(canceled)).rejects.toThrow(CancelledFailure);
  expect(performance.now() - started).toBeLessThan(6000);

  const hold = await longestHold(async () =>
    expect(await prepare(new MockActivityEnvironment())).toHaveProperty('images'),
  );
  expect(hold).toBeLessThan(200);
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

test('a process that computes without end is killed within five seconds, and another one takes its place', async () => {
  const stuck = openStepProcesses({ entry: new URL('stuck-process.ts', import.meta.url) });
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
