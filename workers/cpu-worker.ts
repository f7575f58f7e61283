import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createCpuActivities } from '../activities/cpu.ts';
import { createPromptActivities } from '../activities/prompt.ts';
import type { ActivityDependencies } from '../activities/run-step.ts';
import { extensions } from './extensions.ts';
import { heartbeatOptions, slotOptions, versioningOptions, type WorkerSettings } from './worker-settings.ts';
import { workflowsPath } from './workflows-path.ts';

export interface CpuWorkerOptions {
  connection: NativeConnection;
  namespace: string;
  taskQueue: string;
  /** Default: our own trainer and the extensions of this program. */
  dependencies?: Partial<ActivityDependencies>;
  settings?: WorkerSettings;
  /** Made ahead of time, in memory; otherwise `settings.workflowBundle`, or the workflows are bundled here. */
  workflowBundle?: WorkerOptions['workflowBundle'];
  plugins?: WorkerOptions['plugins'];
}

/** A worker for the workflows and the steps that need no GPU. */
export async function createCpuWorker({
  connection,
  namespace,
  taskQueue,
  dependencies,
  settings = {},
  workflowBundle = settings.workflowBundle === undefined ? undefined : { codePath: settings.workflowBundle },
  plugins,
}: CpuWorkerOptions): Promise<Worker> {
  const given = { extensions, ...dependencies };
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    ...(workflowBundle === undefined ? { workflowsPath } : { workflowBundle }),
    activities: { ...createCpuActivities(given), ...createPromptActivities(given) },
    ...slotOptions(settings.slots),
    ...versioningOptions(settings),
    plugins,
    ...heartbeatOptions(settings),
    shutdownForceTime: '1 minute',
  });
}
