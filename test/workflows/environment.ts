import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkerOptions,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { createCpuActivities } from '../../activities/cpu.ts';
import { createGpuActivities } from '../../activities/gpu.ts';
import { openStepProcesses } from '../../activities/step-processes.ts';
import { createTeacherActivities } from '../../activities/teacher.ts';
import { temporalExecutable } from '../../demo/command/temporal-server.ts';
import { stepEnvironment } from '../../src/core/child-environment.ts';
import type { TrainerCommand } from '../../src/trainer/supervisor/trainer-command.ts';
import { stepProcess } from '../../workers/create-worker.ts';
import { payloadConverterOf, plainConverters } from '../../workers/payload-codec.ts';
import { workflowsPath } from '../../workers/worker-flags.ts';
import { dependencies } from './worker-activities.ts';

/** A real Temporal server for a test file, and the workflows bundled once. */
export interface WorkflowTestEnvironment {
  temporal: TestWorkflowEnvironment;
  workflowBundle: WorkflowBundleWithSourceMap;
}

// The SDK's warnings are part of what the tests provoke.
export const quiet = new DefaultLogger('ERROR');
Runtime.install({ logger: quiet });

/** @param extraArgs of the server's command line */
export async function startEnvironment(extraArgs: string[] = []): Promise<WorkflowTestEnvironment> {
  const executable = { type: 'existing-path' as const, path: await temporalExecutable() };
  const [temporal, workflowBundle] = await Promise.all([
    TestWorkflowEnvironment.createLocal({ server: { executable, extraArgs } }),
    bundleWorkflowCode({ workflowsPath, ...plainConverters, logger: quiet }),
  ]);
  return { temporal, workflowBundle };
}

/** Runs the work while a worker for each queue of a config without `temporal.taskQueues` is up. */
export async function withWorkers<R>(
  environment: WorkflowTestEnvironment,
  trainer: TrainerCommand,
  work: () => Promise<R>,
): Promise<R> {
  // As a worker's own program does it.
  const processes = openStepProcesses({ entry: stepProcess, environment: stepEnvironment(dependencies.settings) });
  const activities = createCpuActivities({ ...dependencies, processes });
  const cpu = await createWorker(environment, 'data-engine', activities);
  const teacher = await createWorker(environment, 'data-engine-teacher', createTeacherActivities(dependencies));
  const gpu = await createWorker(environment, 'data-engine-gpu', createGpuActivities({ ...dependencies, trainer }));
  return cpu.runUntil(teacher.runUntil(gpu.runUntil(work()))).finally(() => processes.close());
}

/** A worker for workflows and the given activities on one queue. */
export function createWorker(
  { temporal, workflowBundle }: WorkflowTestEnvironment,
  taskQueue: string,
  activities: object,
  options: Partial<WorkerOptions> = {},
): Promise<Worker> {
  return Worker.create({
    connection: temporal.nativeConnection,
    namespace: 'default',
    taskQueue,
    workflowBundle,
    activities,
    dataConverter: payloadConverterOf(new Map()),
    maxHeartbeatThrottleInterval: '200ms',
    ...options,
  });
}
