import { typescriptTrainer } from '../trainer/trainer-command.ts';
import { connectWorker } from './connection.ts';
import { createCpuWorker } from './cpu-worker.ts';
import { createGpuWorker } from './gpu-worker.ts';
import { runUntilSignal } from './run-until-signal.ts';
import { logToStandardError } from './worker-log.ts';

/** Runs a CPU worker until it is told to stop. */
export async function runCpuWorker(taskQueue = 'data-engine'): Promise<void> {
  logToStandardError();
  const { connection, namespace } = await connectWorker();
  try {
    await runUntilSignal(await createCpuWorker({ connection, namespace, taskQueue }));
  } finally {
    await connection.close();
  }
}

/** Runs the worker of one GPU until it is told to stop. */
export async function runGpuWorker(taskQueue = 'gpu', trainerEntry?: string): Promise<void> {
  logToStandardError();
  const { connection, namespace } = await connectWorker();
  try {
    const dependencies = trainerEntry === undefined ? {} : { trainer: typescriptTrainer(trainerEntry) };
    await runUntilSignal(await createGpuWorker({ connection, namespace, taskQueue, dependencies }));
  } finally {
    await connection.close();
  }
}
