/**
 * `dataengine pause --now` and `resume` against a real server and real activities; only the trainer is pretended.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCpuActivities } from '../../activities/cpu.ts';
import { createGpuActivities } from '../../activities/gpu.ts';
import { runningWith } from '../../bench/support/processes.ts';
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { pretendTrainerEntry, writeTinyRun } from '../round/tiny-run.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from '../workflows/environment.ts';
import { lossCurve } from '../workflows/kill-and-resume.ts';
import { until } from '../workflows/until.ts';
import { dependencies } from '../workflows/worker-activities.ts';
import { dataengine } from './in-this-process.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

test('pause --now stops the trainer with its checkpoints kept, and the run resumes from them', async () => {
  const folder = await temporaryFolder();
  const configFile = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    rounds: 0,
    finetune: { ...tiny.finetune, stepsPerEpoch: 100, checkpointEverySteps: 10 },
    temporal: { ...tiny.temporal, taskQueues: { cpu: 'now-cpu', gpu: 'now-gpu' } },
  }));
  const trainer = {
    ...typescriptTrainer(pretendTrainerEntry),
    environment: { DATAENGINE_PRETEND_STEP_MILLISECONDS: '60' },
  };
  const cpuWorker = await createWorker(environment, 'now-cpu', createCpuActivities(dependencies));
  const gpuWorker = await createWorker(environment, 'now-gpu', createGpuActivities({ ...dependencies, trainer }));
  const steer = (...input: string[]) => dataengine(environment.temporal.address, ...input);
  const directory = join(folder, 'runs', 'now', 'round-0', 'finetune');
  const steps = async () =>
    (await readFile(join(directory, 'loss.jsonl'), 'utf8').catch(() => '')).split('\n').length - 1;

  const work = async () => {
    const handle = await environment.temporal.client.workflow.start('dataEngine', {
      taskQueue: 'now-cpu',
      workflowId: 'now',
      args: [{ config: configFile, run: 'now' }],
    });
    await until(async () => (await steps()) > 15);
    const paused = await steer('pause', 'now', '--now', '--reason', 'the GPU is needed');
    expect(paused).toBe(
      'now: round 0 of 0, step finetune: paused; no step starts after the current one\n  finetune stopped\n',
    );
    await until(async () => (await runningWith(directory)).length === 0);
    const stoppedAt = await steps();
    expect(await readdir(join(directory, 'checkpoints'))).not.toEqual([]);
    await sleep(3000);
    // No worker resumes it by itself.
    expect(await steps()).toBe(stoppedAt);
    expect(await runningWith(directory)).toEqual([]);
    await expect(steer('pause', 'now')).rejects.toMatchObject({
      cause: expect.objectContaining({ message: 'The run is already paused' }),
    });

    const resumed = await steer('resume', 'now');
    expect(resumed).toContain('  finetune resumed\n');
    expect(resumed).toContain('now: round 0 of 0, step finetune: running\n');
    return (await handle.result()) as DataEngineResult;
  };
  const result = await cpuWorker.runUntil(gpuWorker.runUntil(work()));

  expect(result.rounds.map(({ round }) => round)).toEqual([0]);
  expect((await lossCurve(result.directory)).map(({ step }) => step)).toEqual(
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
  const log = await readFile(join(directory, 'trainer.log'), 'utf8');
  expect(log.match(/starting at step \d+/g)).toEqual([
    'starting at step 0',
    expect.stringMatching(/^starting at step [1-9]0$/),
  ]);
});
