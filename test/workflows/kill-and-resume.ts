/**
 * A run whose trainer and whose GPU worker are killed with `kill -9` in the middle of finetune. The trainer is a
 * parameter, so that the real one can be put through the same.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCpuActivities } from '../../activities/cpu.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { createWorker, type WorkflowTestEnvironment } from './environment.ts';
import { startGpuWorker } from './gpu-worker-process.ts';
import { dependencies } from './worker-activities.ts';

export interface KilledRunInput {
  environment: WorkflowTestEnvironment;
  /** For logs. */
  folder: string;
  /** A config with `rounds: 0` whose queues are `cpuQueue` and `gpuQueue`. */
  configFile: string;
  run: string;
  cpuQueue: string;
  gpuQueue: string;
  trainerEntry: string;
  trainerEnvironment?: Record<string, string>;
  /** Optimizer steps after which the trainer, then the worker is killed. None: the run is left alone. */
  kills?: { trainerAfterStep: number; workerAfterStep: number };
}

/** Starts the run, kills the processes that `kills` names, starts a worker again, and returns the run's result. */
export async function runWithKills(input: KilledRunInput): Promise<DataEngineResult> {
  const { environment, configFile, run, cpuQueue, gpuQueue, kills } = input;
  const { client } = environment.temporal;
  const startWorker = () =>
    startGpuWorker({
      folder: input.folder,
      address: environment.temporal.address,
      taskQueue: gpuQueue,
      trainerEntry: input.trainerEntry,
      environment: input.trainerEnvironment,
    });
  const cpuWorker = await createWorker(environment, cpuQueue, createCpuActivities(dependencies));
  let gpuWorker = await startWorker();
  try {
    return await cpuWorker.runUntil(async () => {
      const handle = await client.workflow.start('dataEngine', {
        taskQueue: cpuQueue,
        workflowId: run,
        args: [{ config: configFile, run }],
      });
      const result = handle.result() as Promise<DataEngineResult>;
      result.catch(() => undefined);
      if (kills !== undefined) {
        const directory = await finetuneDirectory(handle, result);
        process.kill(await trainerAfterStep(directory, kills.trainerAfterStep), 'SIGKILL');
        await sleep(500);
        await trainerAfterStep(directory, kills.workerAfterStep);
        process.kill(gpuWorker.pid, 'SIGKILL');
        await gpuWorker.ended;
        gpuWorker = await startWorker();
      }
      return result;
    });
  } finally {
    await gpuWorker.stop();
  }
}

/** The losses that a run recorded, by step. */
export async function lossCurve(runDirectory: string): Promise<{ step: number; loss: number }[]> {
  const text = await readFile(join(runDirectory, 'round-0', 'finetune', 'loss.jsonl'), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map(({ step, loss }) => ({ step, loss }));
}

/** The folder of round 0's finetune, once the run has one. */
export async function finetuneDirectory(
  handle: { query<R>(name: string): Promise<R> },
  result: Promise<unknown>,
): Promise<string> {
  let ended = false;
  void result.then(
    () => (ended = true),
    () => (ended = true),
  );
  for (;;) {
    if (ended) throw new Error(`the run ended too early: ${await result.catch(String)}`);
    const { directory } = await handle.query<{ directory?: string }>('progress');
    if (directory !== undefined) return join(directory, 'round-0', 'finetune');
    await sleep(100);
  }
}

/** Waits until the trainer has recorded this step, and returns its pid. */
export async function trainerAfterStep(directory: string, step: number): Promise<number> {
  const deadline = Date.now() + 120_000;
  while (Date.now() < deadline) {
    const losses = await readFile(join(directory, 'loss.jsonl'), 'utf8').catch(() => '');
    const fence = await readFile(join(directory, 'trainer.pid.json'), 'utf8').catch(() => '');
    if (losses.split('\n').length > step && fence !== '') return JSON.parse(fence).pid;
    await sleep(50);
  }
  throw new Error(`the trainer did not reach step ${step}`);
}
