/**
 * A process of a CPU worker that computes steps. The worker starts it, and says what it may touch.
 */
import { cpuTasks } from '../activities/cpu-tasks.ts';
import type { StepFacts } from '../activities/run-step.ts';
import { serveSteps } from '../activities/step-process.ts';
import { extensions } from './extensions.ts';

const tasks = cpuTasks as unknown as Record<string, (input: unknown, host: object) => Promise<unknown>>;

serveSteps(async (name, facts, task) => {
  const { input, ...dependencies } = facts as StepFacts;
  return tasks[name]?.(input, { ...task, ...dependencies, extensions });
});
