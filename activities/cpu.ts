/**
 * The activities of the CPU workers.
 */
import { Context } from '@temporalio/activity';
import { type CpuActivities, cpuTasks } from './cpu-tasks.ts';
import { withHeartbeat } from './heartbeat.ts';
import { type StepReference, withParsedInputs } from './references.ts';
import { type ActivityDependencies, asActivity, asStep, runTask, type TaskHost } from './run-step.ts';

export type { CpuActivities };

/** Their input names a config: there is no run yet. */
const tasksWithoutRun = new Set<keyof CpuActivities>(['prepareRun', 'preparePromptOptimization']);

/** Makes the CPU worker's activities. Where the worker has processes for them, these do the work. */
export function createCpuActivities(dependencies: ActivityDependencies): CpuActivities {
  const activities = Object.entries(cpuTasks).map(([name, task]) => {
    const work = task as unknown as (input: unknown, host: TaskHost) => Promise<unknown>;
    const compute = (input: unknown, options: Pick<TaskHost, 'signal' | 'onProgress'>) =>
      runTask(dependencies, name, work, input, options);
    return [
      name,
      tasksWithoutRun.has(name as keyof CpuActivities)
        ? (input: unknown) => asActivity(() => withHeartbeat(0, (onProgress) => compute(input, optionsOf(onProgress))))
        : (input: StepReference) => asStep(input, (options) => compute(input, options)),
    ];
  });
  return withParsedInputs(Object.fromEntries(activities) as CpuActivities);
}

function optionsOf(onProgress: TaskHost['onProgress']) {
  return { signal: Context.current().cancellationSignal, onProgress };
}
