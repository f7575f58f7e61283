import { Worker, type WorkerOptions } from '@temporalio/worker';
import { createCpuActivities } from '../activities/cpu.ts';
import { createGpuActivities } from '../activities/gpu.ts';
import type { ActivityDependencies } from '../activities/run-step.ts';
import { createTeacherActivities } from '../activities/teacher.ts';
import type { WorkerConnection } from './connection.ts';
import { extensions } from './extensions.ts';
import {
  heartbeatOptions,
  shutdownForceSeconds,
  slotOptions,
  teacherSlots,
  versioningOptions,
  type WorkerSettings,
  workflowsPath,
} from './worker-settings.ts';

/** Where a worker belongs: its connection, and the SDK's plugins. */
export interface WorkerPlace extends WorkerConnection {
  plugins?: WorkerOptions['plugins'];
}

type Settings = WorkerSettings & { taskQueue: string };

/**
 * A worker for the workflows and the steps that need no GPU.
 *
 * @param dependencies default: the extensions of this program
 */
export async function createCpuWorker(
  place: WorkerPlace,
  settings: Settings,
  dependencies: Partial<ActivityDependencies> = {},
): Promise<Worker> {
  const { workflowBundle, slots } = settings;
  return Worker.create({
    ...place,
    ...(workflowBundle === undefined ? { workflowsPath } : { workflowBundle: { codePath: workflowBundle } }),
    activities: createCpuActivities({ extensions, ...dependencies }),
    ...slotOptions(slots),
    ...commonOptions(settings),
  });
}

/** A worker for the requests to the teacher. */
export async function createTeacherWorker(place: WorkerPlace, settings: Settings): Promise<Worker> {
  return Worker.create({
    ...place,
    activities: createTeacherActivities({ extensions }),
    ...slotOptions(settings.slots ?? teacherSlots),
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
  settings: Settings,
  dependencies: Partial<ActivityDependencies> = {},
): Promise<Worker> {
  return Worker.create({
    ...place,
    activities: createGpuActivities({ extensions, ...dependencies }),
    maxConcurrentActivityTaskExecutions: 1,
    ...commonOptions(settings),
  });
}

function commonOptions(settings: Settings): Pick<WorkerOptions, 'taskQueue'> & Partial<WorkerOptions> {
  return {
    taskQueue: settings.taskQueue,
    ...versioningOptions(settings),
    ...heartbeatOptions(settings),
    shutdownForceTime: `${shutdownForceSeconds} seconds`,
  };
}
