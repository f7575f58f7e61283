import { Worker, type WorkerOptions } from '@temporalio/worker';
import { createCpuActivities } from '../activities/cpu.ts';
import { createGpuActivities } from '../activities/gpu.ts';
import { createPromptActivities } from '../activities/prompt.ts';
import type { ActivityDependencies } from '../activities/run-step.ts';
import type { WorkerConnection } from './connection.ts';
import { extensions } from './extensions.ts';
import {
  heartbeatOptions,
  shutdownForceSeconds,
  slotOptions,
  versioningOptions,
  type WorkerSettings,
  workflowsPath,
} from './worker-settings.ts';

/** Where a worker belongs: its connection, and the SDK's plugins. */
export interface WorkerPlace extends WorkerConnection {
  plugins?: WorkerOptions['plugins'];
}

/**
 * A worker for the workflows and the steps that need no GPU.
 *
 * @param dependencies default: the extensions of this program
 */
export async function createCpuWorker(
  place: WorkerPlace,
  settings: WorkerSettings & { taskQueue: string },
  dependencies: Partial<ActivityDependencies> = {},
): Promise<Worker> {
  const { taskQueue, workflowBundle, slots } = settings;
  const given = { extensions, ...dependencies };
  return Worker.create({
    ...place,
    taskQueue,
    ...(workflowBundle === undefined ? { workflowsPath } : { workflowBundle: { codePath: workflowBundle } }),
    activities: { ...createCpuActivities(given), ...createPromptActivities(given) },
    ...slotOptions(slots),
    ...commonOptions(settings),
  });
}

/**
 * A worker for one GPU: it runs one trainer at a time.
 *
 * @param dependencies default: our own trainer and the extensions of this program
 */
export async function createGpuWorker(
  place: WorkerPlace,
  settings: WorkerSettings & { taskQueue: string },
  dependencies: Partial<ActivityDependencies> = {},
): Promise<Worker> {
  return Worker.create({
    ...place,
    taskQueue: settings.taskQueue,
    activities: createGpuActivities({ extensions, ...dependencies }),
    maxConcurrentActivityTaskExecutions: 1,
    ...commonOptions(settings),
  });
}

function commonOptions(settings: WorkerSettings): Partial<WorkerOptions> {
  return {
    ...versioningOptions(settings),
    ...heartbeatOptions(settings),
    shutdownForceTime: `${shutdownForceSeconds} seconds`,
  };
}
