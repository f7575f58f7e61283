import type { DataConverter } from '@temporalio/common';
import { Worker, type WorkerOptions } from '@temporalio/worker';
import { createCpuActivities } from '../activities/cpu.ts';
import { createGpuActivities } from '../activities/gpu.ts';
import type { ActivityDependencies } from '../activities/run-step.ts';
import { countActivities } from '../activities/signs-of-life.ts';
import { openStepProcesses } from '../activities/step-processes.ts';
import { createTeacherActivities } from '../activities/teacher.ts';
import { stepEnvironment } from '../src/core/child-environment.ts';
import { InputError } from '../src/core/input-error.ts';
import type { WorkerSettings } from '../src/core/worker-settings.ts';
import type { WorkerConnection } from './connection.ts';
import { bundleMark } from './encrypted-converters.cjs';
import { extensions } from './extensions.ts';
import { encryptedBundle } from './payload-codec.ts';
import {
  compileOwnSources,
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
  /** Of `payloadConverterOf`. */
  dataConverter?: DataConverter;
}

type Flags = WorkerFlags & { taskQueue: string };

type Dependencies = Omit<ActivityDependencies, 'extensions' | 'processes'>;

/** The program of the processes that compute a CPU worker's steps. */
export const stepProcess = new URL('step-process.ts', import.meta.url);

/**
 * The bundle for this worker. One holds the converters it was made with: with a payload key, those that encrypt errors.
 *
 * @throws InputError
 */
async function readBundle(bundle: string, { dataConverter }: WorkerPlace, settings: WorkerSettings) {
  const encrypts = dataConverter?.failureConverterPath !== undefined;
  const file = encrypts ? encryptedBundle(bundle) : bundle;
  const { code } = await readWorkflowBundle(file, settings);
  if (code.includes(bundleMark) === encrypts) return { code };
  const problem = encrypts ? 'was made for workers without a payload key' : 'was made for workers with a payload key';
  throw new InputError({ file, problem, remedy: 'Name the first file that `npm run bundle` prints' });
}

/** A worker for the workflows and the steps that need no GPU. */
export async function createCpuWorker(place: WorkerPlace, flags: Flags, dependencies: Dependencies): Promise<Worker> {
  const { workflowBundle, slots } = flags;
  const { settings } = dependencies;
  const bundle = workflowBundle === undefined ? undefined : await readBundle(workflowBundle, place, settings);
  const environment = stepEnvironment(settings);
  const processes = openStepProcesses({
    entry: stepProcess,
    environment,
    heapMegabytes: settings.limits.stepMegabytes,
  });
  return Worker.create({
    ...place,
    ...(bundle === undefined
      ? { workflowsPath, bundlerOptions: { webpackConfigHook: compileOwnSources() } }
      : { workflowBundle: bundle }),
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
