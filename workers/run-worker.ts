import type { Worker } from '@temporalio/worker';
import { typescriptTrainer } from '../src/trainer/supervisor/trainer-command.ts';
import { connectWorker } from './connection.ts';
import { createCpuWorker, createGpuWorker, type WorkerPlace } from './create-worker.ts';
import { watchGpuMemory } from './gpu-memory.ts';
import { serveHealth } from './health.ts';
import { knowsSearchAttributes, registerSearchAttributes } from './search-attributes.ts';
import { installTelemetry, openTraces } from './telemetry.ts';
import type { WorkerSettings } from './worker-settings.ts';

/** Runs a CPU worker until SIGINT or SIGTERM. */
export async function runCpuWorker(settings: WorkerSettings = {}): Promise<void> {
  await runWorker('cpu', settings, async (place) => {
    const { connection, namespace } = place;
    // Where they can't be registered, as on Temporal Cloud, those that are there are still used.
    await registerSearchAttributes(connection, namespace).catch(() => undefined);
    const searchAttributes = await knowsSearchAttributes(connection, namespace);
    return createCpuWorker(place, { taskQueue: 'data-engine', ...settings }, { searchAttributes });
  });
}

/** Runs the worker of one GPU until SIGINT or SIGTERM. */
export async function runGpuWorker(settings: WorkerSettings = {}, trainerEntry?: string): Promise<void> {
  await runWorker('gpu', settings, async (place) => {
    if (settings.metricsAddress !== undefined) await watchGpuMemory();
    const dependencies = trainerEntry === undefined ? {} : { trainer: typescriptTrainer(trainerEntry) };
    return createGpuWorker(place, { taskQueue: 'gpu', ...settings }, dependencies);
  });
}

async function runWorker(
  kind: 'cpu' | 'gpu',
  settings: WorkerSettings,
  create: (place: WorkerPlace) => Promise<Worker>,
): Promise<void> {
  installTelemetry(settings);
  const traces = openTraces(`dataengine-${kind}-worker`);
  const connected = await connectWorker();
  try {
    const worker = await create({ ...connected, plugins: traces && [traces.plugin] });
    const { healthPort: port, healthHost: host } = settings;
    const health = port === undefined ? undefined : await serveHealth(worker, { port, host });
    try {
      await runUntilSignal(worker);
    } finally {
      await health?.close();
    }
  } finally {
    await connected.connection.close();
    await traces?.close();
  }
}

/**
 * After SIGINT or SIGTERM the worker finishes: its activities stop, their trainers with them, and the next worker resumes
 * them. With DATAENGINE_EXIT_WITH_PARENT it also finishes when standard input closes, so that it does not outlive the
 * demo.
 */
async function runUntilSignal(worker: Worker): Promise<void> {
  const shutDown = () => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  process.on('SIGINT', shutDown);
  process.on('SIGTERM', shutDown);
  if (process.env.DATAENGINE_EXIT_WITH_PARENT !== undefined) {
    process.stdin.on('end', shutDown);
    process.stdin.resume();
  }
  try {
    await worker.run();
  } finally {
    process.off('SIGINT', shutDown);
    process.off('SIGTERM', shutDown);
    process.stdin.pause();
  }
}
