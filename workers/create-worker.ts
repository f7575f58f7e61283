import { Worker, type WorkerOptions } from '@temporalio/worker';
import { createCpuActivities } from '../activities/cpu.ts';
import { createGpuActivities } from '../activities/gpu.ts';
import type { ActivityDependencies } from '../activities/run-step.ts';
import { countActivities } from '../activities/signs-of-life.ts';
import { openStepProcesses } from '../activities/step-processes.ts';
import { createTeacherActivities } from '../activities/teacher.ts';
import type { WorkerConnection } from './connection.ts';
import { extensions } from './extensions.ts';
import {
  heartbeatOptions,
  shutdownForceSeconds,
  slotOptions,
  teacherSlots,
  versioningOptions,
  type WorkerFlags,
  workflowsPath,
} from './worker-flags.ts';
import { readWorkflowBundle } from './workflow-bundle.ts';

/** Where a worker belongs: its connection, and the SDK's plugins. */
export interface WorkerPlace extends WorkerConnection {
  plugins?: WorkerOptions['plugins'];
}

type Flags = WorkerFlags & { taskQueue: string };

type Dependencies = Omit<ActivityDependencies, 'extensions' | 'processes'>;

/** The program of the processes that compute a CPU worker's steps. */
export const stepProcess = new URL('step-process.ts', import.meta.url);

/** A worker for the workflows and the steps that need no GPU. */
export async function createCpuWorker(place: WorkerPlace, flags: Flags, dependencies: Dependencies): Promise<Worker> {
  const { workflowBundle, slots } = flags;
  const heapMegabytes = dependencies.settings.limits.stepMegabytes;
  const processes = openStepProcesses({ entry: stepProcess, heapMegabytes });
  return Worker.create({
    ...place,
    ...(workflowBundle === undefined
      ? { workflowsPath }
      : { workflowBundle: await readWorkflowBundle(workflowBundle, dependencies.settings) }),
    activities: createCpuActivities({ extensions, ...dependencies, processes }),
    ...slotOptions(slots),
    ...commonOptions(flags),
  });
}

/** A worker for the requests to the teacher. */
export async function createTeacherWorker(
  place: WorkerPlace,
  flags: Flags,
  dependencies: Dependencies,
): Promise<Worker> {
  return Worker.create({
    ...place,
    activities: createTeacherActivities({ extensions, ...dependencies }),
    ...slotOptions(flags.slots ?? teacherSlots),
    ...commonOptions(flags),
  });
}

/** A worker for one GPU: it runs one trainer at a time. */
export async function createGpuWorker(place: WorkerPlace, flags: Flags, dependencies: Dependencies): Promise<Worker> {
  return Worker.create({
    ...place,
    activities: createGpuActivities({ extensions, ...dependencies }),
    maxConcurrentActivityTaskExecutions: 1,
    ...commonOptions(flags),
  });
}

function commonOptions(flags: Flags): Pick<WorkerOptions, 'taskQueue'> & Partial<WorkerOptions> {
  return {
    taskQueue: flags.taskQueue,
    interceptors: { activity: [countActivities] },
    ...versioningOptions(flags),
    ...heartbeatOptions(flags),
    shutdownForceTime: `${shutdownForceSeconds} seconds`,
  };
}
