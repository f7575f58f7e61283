/**
 * What `kill-and-resume.test.ts` shows with a pretend trainer, with the real one: TensorFlow, a tiny model, and
 * a real Temporal server.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCpuActivities } from '../../activities/cpu.ts';
import { createGpuActivities } from '../../activities/gpu.ts';
import { runningWith } from '../../bench/support/processes.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { defaultTrainerEntry } from '../../src/trainer/supervisor/trainer-command.ts';
import { maximumDifference } from '../helpers/jobs.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyModel } from '../helpers/tiny-model.ts';
import { tinyContext, writeTinyRun } from '../round/tiny-run.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { lossCurve, runWithKills } from './kill-and-resume.ts';
import { dependencies } from './worker-activities.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
});

afterAll(() => environment?.temporal.teardown());

/** A folder with a tiny dataset, a tiny model that can be trained, and a config of round 0 alone. */
async function tinyRun(queues: { cpu: string; gpu: string }, stepsPerEpoch: number) {
  const folder = await temporaryFolder();
  const model = join(folder, 'model');
  await writeTinyModel(model);
  const configFile = await writeTinyRun(folder, (config) => ({
    ...config,
    rounds: 0,
    model: { path: model },
    finetune: { ...config.finetune, stepsPerEpoch, checkpointEverySteps: 20 },
    temporal: { ...config.temporal, taskQueues: queues },
  }));
  return { folder, configFile };
}

test('after kill -9 of the trainer, then of the GPU worker, the run ends with the loss curve of an undisturbed one', async () => {
  const { folder, configFile } = await tinyRun({ cpu: 'kill-real-cpu', gpu: 'kill-real-gpu' }, 400);
  const undisturbed = await tinyContext(configFile, { trainer: undefined });
  await finetune(undisturbed);

  const killed = await runWithKills({
    environment,
    folder,
    configFile,
    run: 'killed',
    cpuQueue: 'kill-real-cpu',
    gpuQueue: 'kill-real-gpu',
    trainerEntry: defaultTrainerEntry,
    kills: { trainerAfterStep: 30, workerAfterStep: 200 },
  });

  const [wanted, found] = await Promise.all([lossCurve(undisturbed.run.root), lossCurve(killed.directory)]);
  expect(found.map(({ step }) => step)).toEqual(wanted.map(({ step }) => step));
  expect(
    maximumDifference(
      found.map(({ loss }) => loss),
      wanted.map(({ loss }) => loss),
    ),
  ).toBeLessThan(1e-5);
  const log = await readFile(join(killed.directory, 'round-0', 'finetune', 'trainer.log'), 'utf8');
  const resumedAt = [...log.matchAll(/resumed at step (\d+)/g)].map(([, step]) => Number(step));
  expect(resumedAt).toHaveLength(2);
  expect(resumedAt[0]).toBeGreaterThanOrEqual(20);
  expect(resumedAt[1]).toBeGreaterThan(resumedAt[0] as number);
  expect(await runningWith(folder)).toEqual([]);
});

test('cancelling during finetune leaves a checkpoint and no process', async () => {
  const { folder, configFile } = await tinyRun({ cpu: 'cancel-real-cpu', gpu: 'cancel-real-gpu' }, 20_000);
  const cpuWorker = await createWorker(environment, 'cancel-real-cpu', createCpuActivities(dependencies));
  const gpuWorker = await createWorker(environment, 'cancel-real-gpu', createGpuActivities(dependencies));
  const directory = join(folder, 'runs', 'cancelled', 'round-0', 'finetune');
  const work = async () => {
    const handle = await environment.temporal.client.workflow.start('dataEngine', {
      taskQueue: 'cancel-real-cpu',
      workflowId: 'cancelled-real',
      args: [{ config: configFile, run: 'cancelled' }],
    });
    while (!(await readFile(join(directory, 'loss.jsonl'), 'utf8').catch(() => ''))) await sleep(50);
    expect(await runningWith(folder)).toHaveLength(1);
    await handle.cancel();
    await handle.result().catch(() => undefined);
    return (await handle.describe()).status.name;
  };
  expect(await cpuWorker.runUntil(gpuWorker.runUntil(work()))).toBe('CANCELLED');
  expect(await runningWith(folder)).toEqual([]);
  const checkpoints = await readdir(join(directory, 'checkpoints'));
  expect(checkpoints).toContainEqual(expect.stringMatching(/^step-\d+\.safetensors$/));
  expect(await readdir(directory)).not.toContain('manifest.json');
});

test('a worker that is to stop has its trainer write a checkpoint first, and the next worker resumes from it', async () => {
  const { folder, configFile } = await tinyRun({ cpu: 'ending-real-cpu', gpu: 'ending-real-gpu' }, 600);
  const finetuneFolder = join(folder, 'runs', 'ending', 'round-0', 'finetune');
  const steps = async () =>
    (await readFile(join(finetuneFolder, 'loss.jsonl'), 'utf8').catch(() => '')).split('\n').length - 1;
  const cpuWorker = await createWorker(environment, 'ending-real-cpu', createCpuActivities(dependencies));
  const first = await createWorker(environment, 'ending-real-gpu', createGpuActivities(dependencies));

  await cpuWorker.runUntil(async () => {
    const handle = await environment.temporal.client.workflow.start('dataEngine', {
      taskQueue: 'ending-real-cpu',
      workflowId: 'ending',
      args: [{ config: configFile, run: 'ending' }],
    });
    await first.runUntil(async () => {
      while ((await steps()) < 25) await sleep(50);
    });
    // The worker is gone, and its trainer with it; the newest checkpoint is of the very last step, not of every 20th.
    expect(await runningWith(folder)).toEqual([]);
    const stoppedAt = await steps();
    expect(stoppedAt).toBeLessThan(600);
    const log = await readFile(join(finetuneFolder, 'trainer.log'), 'utf8');
    expect(log).not.toContain('resumed');
    const second = await createWorker(environment, 'ending-real-gpu', createGpuActivities(dependencies));
    await second.runUntil(handle.result());
    expect(await readFile(join(finetuneFolder, 'trainer.log'), 'utf8')).toContain(`resumed at step ${stoppedAt}`);
  });
  expect((await lossCurve(join(folder, 'runs', 'ending'))).map(({ step }) => step)).toEqual(
    Array.from({ length: 600 }, (_, index) => index + 1),
  );
}, 300_000);
