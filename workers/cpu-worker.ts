import { type NativeConnection, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { createCpuActivities } from '../activities/cpu.ts';
import { createPromptActivities } from '../activities/prompt.ts';
import type { ActivityDependencies } from '../activities/run-step.ts';
import { workflowsPath } from './workflows-path.ts';

export interface CpuWorkerOptions {
  connection: NativeConnection;
  namespace: string;
  taskQueue: string;
  dependencies?: ActivityDependencies;
  /** Made ahead of time; otherwise the workflows are bundled here. */
  workflowBundle?: WorkflowBundleWithSourceMap;
}

/** A worker for the workflows and the steps that need no GPU. */
export async function createCpuWorker({
  connection,
  namespace,
  taskQueue,
  dependencies,
  workflowBundle,
}: CpuWorkerOptions): Promise<Worker> {
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    ...(workflowBundle === undefined ? { workflowsPath } : { workflowBundle }),
    activities: { ...createCpuActivities(dependencies), ...createPromptActivities(dependencies) },
    maxConcurrentActivityTaskExecutions: 4,
    // Otherwise progress would reach the server only every 30 s or more.
    maxHeartbeatThrottleInterval: '1 second',
    shutdownForceTime: '1 minute',
  });
}
