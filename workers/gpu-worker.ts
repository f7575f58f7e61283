import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createGpuActivities } from '../activities/gpu.ts';
import type { ActivityDependencies } from '../activities/run-step.ts';
import { extensions } from './extensions.ts';
import { heartbeatOptions, versioningOptions, type WorkerSettings } from './worker-settings.ts';

export interface GpuWorkerOptions {
  connection: NativeConnection;
  namespace: string;
  taskQueue: string;
  /** Default: our own trainer and the extensions of this program. */
  dependencies?: Partial<ActivityDependencies>;
  settings?: WorkerSettings;
  plugins?: WorkerOptions['plugins'];
}

/** A worker for one GPU: it runs one trainer at a time. Start one worker a GPU. */
export async function createGpuWorker({
  connection,
  namespace,
  taskQueue,
  dependencies,
  settings = {},
  plugins,
}: GpuWorkerOptions): Promise<Worker> {
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    activities: createGpuActivities({ extensions, ...dependencies }),
    maxConcurrentActivityTaskExecutions: 1,
    ...versioningOptions(settings),
    plugins,
    ...heartbeatOptions(settings),
    shutdownForceTime: '1 minute',
  });
}
