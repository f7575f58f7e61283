import type { Worker } from '@temporalio/worker';
import { teacherQueueOf } from '../src/config/workflow-schemas.ts';
import { loadWorkerSettings, type WorkerSettings } from '../src/core/worker-settings.ts';
import { typescriptTrainer } from '../src/trainer/supervisor/trainer-command.ts';
import { connectWorker } from './connection.ts';
import { createCpuWorker, createGpuWorker, createTeacherWorker, type WorkerPlace } from './create-worker.ts';
import { watchGpuMemory } from './gpu-memory.ts';
import { serveHealth, type WatchedWorker } from './health.ts';
import { loadPayloadKeys, payloadConverterOf } from './payload-codec.ts';
import { knowsSearchAttributes, registerSearchAttributes } from './search-attributes.ts';
import { installTelemetry, openTraces } from './telemetry.ts';
import { slotCount, teacherSlots, type WorkerFlags } from './worker-flags.ts';

/** Runs a CPU worker until SIGINT or SIGTERM, and with it, in the same process, one for the teacher's queue. */
export async function runCpuWorker(flags: WorkerFlags = {}): Promise<void> {
  const { taskQueue = 'data-engine', teacher = true } = flags;
  await runWorkers('cpu', flags, async (place, settings) => {
    const { connection, namespace } = place;
    // Where they can't be registered, as on Temporal Cloud, those that are there are still used.
    await registerSearchAttributes(connection, namespace).catch(() => undefined);
    const searchAttributes = await knowsSearchAttributes(connection, namespace);
    const worker = await createCpuWorker(
      place,
      { ...flags, taskQueue },
      { settings, searchAttributes, asksNoTeacher: !teacher },
    );
    const watched = { worker, slots: slotCount(flags.slots) };
    if (!teacher) return [watched];
    const forTeacher = { ...flags, taskQueue: teacherQueueOf(taskQueue), slots: undefined };
    return [watched, { worker: await createTeacherWorker(place, forTeacher, { settings }), slots: teacherSlots }];
  });
}

/** Runs a worker for the teacher's queue until SIGINT or SIGTERM. */
export async function runTeacherWorker(flags: WorkerFlags = {}): Promise<void> {
  const { taskQueue = teacherQueueOf('data-engine') } = flags;
  await runWorkers('teacher', flags, async (place, settings) => [
    {
      worker: await createTeacherWorker(place, { ...flags, taskQueue }, { settings }),
      slots: slotCount(flags.slots ?? teacherSlots),
    },
  ]);
}

/** Runs the worker of one GPU until SIGINT or SIGTERM. */
export async function runGpuWorker(flags: WorkerFlags = {}, trainerEntry?: string): Promise<void> {
  const { taskQueue = 'data-engine-gpu' } = flags;
  await runWorkers('gpu', flags, async (place, settings) => {
    if (flags.metricsAddress !== undefined) await watchGpuMemory();
    const trainer = trainerEntry === undefined ? undefined : typescriptTrainer(trainerEntry);
    return [{ worker: await createGpuWorker(place, { ...flags, taskQueue }, { settings, trainer }), slots: 1 }];
  });
}

async function runWorkers(
  kind: 'cpu' | 'gpu' | 'teacher',
  flags: WorkerFlags,
  create: (place: WorkerPlace, settings: WorkerSettings) => Promise<WatchedWorker[]>,
): Promise<void> {
  const settings = await loadWorkerSettings();
  // Before anything is written; trainers inherit it.
  if (settings.umask !== undefined) process.umask(settings.umask);
  const dataConverter = payloadConverterOf(await loadPayloadKeys(flags.payloadKeyFile));
  installTelemetry(flags);
  const traces = openTraces(`dataengine-${kind}-worker`);
  const connected = await connectWorker();
  try {
    const watched = await create({ ...connected, dataConverter, plugins: traces && [traces.plugin] }, settings);
    const { healthPort: port, healthHost: host } = flags;
    const health = port === undefined ? undefined : await serveHealth(watched, { port, host });
    try {
      await runUntilSignal(watched.map(({ worker }) => worker));
    } finally {
      await health?.close();
    }
  } finally {
    await connected.connection.close();
    await traces?.close();
  }
}

/**
 * After SIGINT or SIGTERM the workers finish: their activities stop, trainers with them, and the next worker resumes them.
 * With DATAENGINE_EXIT_WITH_PARENT they also finish when standard input closes, so that they do not outlive the demo.
 * When one worker fails, the others finish too.
 */
async function runUntilSignal(workers: readonly Worker[]): Promise<void> {
  const shutDown = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  process.on('SIGINT', shutDown);
  process.on('SIGTERM', shutDown);
  if (process.env.DATAENGINE_EXIT_WITH_PARENT !== undefined) {
    process.stdin.on('end', shutDown);
    process.stdin.resume();
  }
  try {
    const ended = await Promise.allSettled(workers.map((worker) => worker.run().finally(shutDown)));
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  } finally {
    process.off('SIGINT', shutDown);
    process.off('SIGTERM', shutDown);
    process.stdin.pause();
  }
}
