/**
 * A GPU worker that the server hears no more of, while its trainer still writes.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createCpuActivities } from '../../activities/cpu.ts';
import { runningWith } from '../../bench/support/processes.ts';
import { readManifest } from '../../src/core/manifest.ts';
import { processStartTime } from '../../src/core/process-identity.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { pretendTrainerEntry, writeTinyRun } from '../round/tiny-run.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { startGpuWorker } from './gpu-worker-process.ts';
import { finetuneDirectory, lossCurve, runWithKills, trainerAfterStep } from './kill-and-resume.ts';
import { until } from './until.ts';
import { dependencies } from './worker-activities.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

test('another worker takes over; the first one, when it returns, neither commits nor disturbs the second', async () => {
  const folder = await temporaryFolder();
  const queues = { cpu: 'lost-cpu', gpu: 'lost-gpu' };
  const configFile = await writeTinyRun(folder, (config) => ({
    ...config,
    rounds: 0,
    finetune: { ...config.finetune, stepsPerEpoch: 600, checkpointEverySteps: 20 },
    temporal: { ...config.temporal, taskQueues: queues },
  }));
  const trainerEntry = pretendTrainerEntry;
  const common = { environment, folder, configFile, cpuQueue: queues.cpu, gpuQueue: queues.gpu, trainerEntry };
  const undisturbed = await runWithKills({ ...common, run: 'undisturbed' });

  const startWorker = async () => {
    const worker = await startGpuWorker({
      ...{ folder, address: environment.temporal.address, taskQueue: queues.gpu, trainerEntry },
      environment: { DATAENGINE_PRETEND_STEP_MILLISECONDS: '60' },
    });
    onTestFinished(() => worker.stop(5));
    return worker;
  };
  const cpuWorker = await createWorker(environment, queues.cpu, createCpuActivities(dependencies));
  const result = await cpuWorker.runUntil(async () => {
    const lost = await startWorker();
    const handle = await environment.temporal.client.workflow.start('dataEngine', {
      taskQueue: queues.cpu,
      workflowId: 'lost',
      args: [{ config: configFile, run: 'lost' }],
    });
    const ended = handle.result() as Promise<DataEngineResult>;
    ended.catch(() => undefined);
    const directory = await finetuneDirectory(handle, ended);
    const first = await trainerAfterStep(directory, 15);

    process.kill(lost.pid, 'SIGSTOP');
    // Its trainer knows nothing of that.
    const second = await startWorker();
    const fenced = async () =>
      JSON.parse(await readFile(join(directory, 'trainer.pid.json'), 'utf8').catch(() => '{}'));
    await until(async () => ![undefined, first].includes((await fenced()).pid));
    expect(await trainerAfterStep(directory, 200)).not.toBe(first);
    expect(await processStartTime(first)).toBeUndefined();
    const fence = await fenced();

    process.kill(lost.pid, 'SIGCONT');
    await sleep(3000);
    expect(await readManifest(directory)).toBeUndefined();
    expect(await fenced()).toEqual(fence);
    expect(await processStartTime(fence.pid)).toBe(fence.startTime);

    await ended;
    const { events } = await environment.temporal.client.workflow.getHandle('lost/round-0').fetchHistory();
    const started = events?.flatMap(({ activityTaskStartedEventAttributes: attributes }) => attributes ?? [])[0];
    expect(started).toMatchObject({ attempt: 2, lastFailure: { timeoutFailureInfo: { timeoutType: 4 } } });
    expect(Number.parseInt(started?.identity ?? '', 10)).toBe(second.pid);
    return ended;
  });

  expect(await lossCurve(result.directory)).toEqual(await lossCurve(undisturbed.directory));
  expect(result.rounds[0]?.multipleChoice).toBe(undisturbed.rounds[0]?.multipleChoice);
  const log = await readFile(join(result.directory, 'round-0', 'finetune', 'trainer.log'), 'utf8');
  expect(log.match(/starting at step/g)).toHaveLength(2);
  expect(await runningWith(result.directory)).toEqual([]);
});
