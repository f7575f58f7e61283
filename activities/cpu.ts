/**
 * The activities of the CPU workers.
 */
import { Context } from '@temporalio/activity';
import { checkNewRun } from '../src/round/open-run.ts';
import type { PruneInput } from '../workflows/prune-input.ts';
import { seenOwnerOf } from './beside-owner.ts';
import { type CpuTaskActivities, cpuTasks } from './cpu-tasks.ts';
import { withHeartbeat } from './heartbeat.ts';
import { lookForWorkers } from './look-for-workers.ts';
import { claimForWorkflow } from './owner.ts';
import { type PrepareRunInput, runToStart } from './prepare-run.ts';
import { type QueueReference, type StepReference, withParsedInputs } from './references.ts';
import { type ActivityDependencies, asActivity, asStep, runTask, type TaskHost, type TaskOptions } from './run-step.ts';

export interface CpuActivities extends CpuTaskActivities {
  /** Whether a worker polls a queue of the run. */
  lookForWorkers(reference: QueueReference): Promise<{ polled: boolean }>;
}

/** Makes the CPU worker's activities. Where the worker has processes for them, these do the work. */
export function createCpuActivities(dependencies: ActivityDependencies): CpuActivities {
  const activities = Object.entries(cpuTasks).map(([name, task]) => {
    const work = task as unknown as (input: unknown, host: TaskHost) => Promise<unknown>;
    const compute = (input: unknown, options: TaskOptions) => runTask(dependencies, name, work, input, options);
    /** @param prepare what is asked of the server before, in this process */
    const start = (prepare: () => Promise<{ input: unknown; epoch?: number | undefined }>) =>
      asActivity(() =>
        withHeartbeat(0, async (onProgress) => {
          const { cancellationSignal: signal } = Context.current();
          const { input, epoch } = await prepare();
          return compute(input, { signal, onProgress, epoch });
        }),
      );
    // Their input names a config: there may be no run yet.
    if (name === 'prepareRun') {
      return [
        name,
        (input: PrepareRunInput) => start(async () => ({ input, epoch: await claimNewRun(input, dependencies) })),
      ];
    }
    if (name === 'preparePromptOptimization') return [name, (input: unknown) => start(async () => ({ input }))];
    // It takes the run from nobody.
    if (name === 'prune') {
      const beside = (input: PruneInput) => seenOwnerOf(input, dependencies.settings);
      return [name, (input: PruneInput) => start(async () => ({ input: { ...input, beside: await beside(input) } }))];
    }
    return [name, (input: StepReference) => asStep(input, dependencies, (options) => compute(input, options))];
  });
  return withParsedInputs({
    ...(Object.fromEntries(activities) as CpuTaskActivities),
    // Its client is this process's.
    lookForWorkers: (reference) => lookForWorkers(reference, dependencies),
  });
}

/** Before anything is written: the config of another workflow's run is not to be replaced. */
async function claimNewRun(
  input: PrepareRunInput,
  { extensions, settings }: ActivityDependencies,
): Promise<number | undefined> {
  const { workflowExecution: owner } = Context.current().info;
  if (owner === undefined) return undefined;
  const { config, reference: runDirectory } = await runToStart(input, settings);
  await checkNewRun(config, { extensions, access: settings });
  const { takeover } = input;
  return claimForWorkflow({ runDirectory, owner, startsAnew: true, takeover }, settings);
}
