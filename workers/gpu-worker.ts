import { type NativeConnection, Worker } from '@temporalio/worker';
import { createGpuActivities } from '../activities/gpu.ts';
import type { ActivityDependencies } from '../activities/run-step.ts';

export interface GpuWorkerOptions {
  connection: NativeConnection;
  namespace: string;
  taskQueue: string;
  dependencies?: ActivityDependencies;
}

/** A worker for one GPU: it runs one trainer at a time. Start one worker a GPU. */
export async function createGpuWorker({
  connection,
  namespace,
  taskQueue,
  dependencies,
}: GpuWorkerOptions): Promise<Worker> {
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    activities: createGpuActivities(dependencies),
    maxConcurrentActivityTaskExecutions: 1,
    maxHeartbeatThrottleInterval: '1 second',
    shutdownForceTime: '1 minute',
  });
}
