/**
 * A process of a CPU worker that computes steps. The worker starts it, and says what it may touch.
 */
import { cpuTasks } from '../activities/cpu-tasks.ts';
import type { StepFacts } from '../activities/run-step.ts';
import { serveSteps } from '../activities/step-process.ts';
import { valueIn } from '../src/core/records.ts';
import { extensions } from './extensions.ts';

const tasks = cpuTasks as unknown as Record<string, (input: unknown, host: object) => Promise<unknown>>;

serveSteps(async (name, facts, task) => {
  const { input, ...dependencies } = facts as StepFacts;
  const work = valueIn(tasks, name);
  if (work === undefined) throw new Error(`no task of a CPU worker is called ${name}`);
  return work(input, { ...task, ...dependencies, extensions });
});
