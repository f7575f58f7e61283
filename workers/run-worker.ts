import type { Worker, WorkerOptions } from '@temporalio/worker';
import { typescriptTrainer } from '../src/trainer/supervisor/trainer-command.ts';
import { connectWorker, type WorkerConnection } from './connection.ts';
import { createCpuWorker } from './cpu-worker.ts';
import { watchGpuMemory } from './gpu-memory.ts';
import { createGpuWorker } from './gpu-worker.ts';
import { serveHealth } from './health.ts';
import { runUntilSignal } from './run-until-signal.ts';
import { knowsSearchAttributes, registerSearchAttributes } from './search-attributes.ts';
import { installTelemetry, openTraces } from './telemetry.ts';
import type { WorkerSettings } from './worker-settings.ts';

/** Runs a CPU worker until it is told to stop. */
export async function runCpuWorker(settings: WorkerSettings = {}): Promise<void> {
  await runWorker('cpu', settings, async ({ connection, namespace }, plugins) => {
    // Whoever may not register them, as on Temporal Cloud, can still use those that are there.
    await registerSearchAttributes(connection, namespace).catch(() => undefined);
    const searchAttributes = await knowsSearchAttributes(connection, namespace);
    const { taskQueue = 'data-engine' } = settings;
    return createCpuWorker({ connection, namespace, taskQueue, dependencies: { searchAttributes }, settings, plugins });
  });
}

/** Runs the worker of one GPU until it is told to stop. */
export async function runGpuWorker(settings: WorkerSettings = {}, trainerEntry?: string): Promise<void> {
  await runWorker('gpu', settings, async ({ connection, namespace }, plugins) => {
    if (settings.metricsAddress !== undefined) await watchGpuMemory();
    const dependencies = trainerEntry === undefined ? {} : { trainer: typescriptTrainer(trainerEntry) };
    return createGpuWorker({
      connection,
      namespace,
      taskQueue: settings.taskQueue ?? 'gpu',
      dependencies,
      settings,
      plugins,
    });
  });
}

async function runWorker(
  kind: 'cpu' | 'gpu',
  settings: WorkerSettings,
  create: (place: WorkerConnection, plugins: WorkerOptions['plugins']) => Promise<Worker>,
): Promise<void> {
  installTelemetry(settings);
  const traces = openTraces(`dataengine-${kind}-worker`);
  const place = await connectWorker();
  try {
    const worker = await create(place, traces && [traces.plugin]);
    const { healthPort: port, healthHost: host } = settings;
    const health = port === undefined ? undefined : await serveHealth(worker, { port, host });
    try {
      await runUntilSignal(worker);
    } finally {
      await health?.close();
    }
  } finally {
    await place.connection.close();
    await traces?.close();
  }
}
