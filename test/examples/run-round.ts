/**
 * Runs a config with `dataEngine` on a Temporal server of its own, with a pretended trainer: `run-round.ts CONFIG`. Prints
 * the steps of round 1 as the workflow shows them.
 */
import { createCpuActivities } from '../../activities/cpu.ts';
import { createGpuActivities } from '../../activities/gpu.ts';
import { createTeacherActivities } from '../../activities/teacher.ts';
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import { extensions } from '../../workers/extensions.ts';
import type { RoundProgress } from '../../workflows/messages.ts';
import { pretendTrainerEntry } from '../round/tiny-run.ts';
import { createWorker, startEnvironment } from '../workflows/environment.ts';

const [config] = process.argv.slice(2);
const environment = await startEnvironment();
try {
  const trainer = typescriptTrainer(pretendTrainerEntry);
  const cpu = await createWorker(environment, 'data-engine', createCpuActivities({ extensions }));
  const gpu = await createWorker(environment, 'data-engine-gpu', createGpuActivities({ extensions, trainer }));
  const teacher = await createWorker(environment, 'data-engine-teacher', createTeacherActivities({ extensions }));
  const { workflow } = environment.temporal.client;
  const run = async () => {
    await workflow.execute('dataEngine', { taskQueue: 'data-engine', workflowId: 'tiny', args: [{ config }] });
    return workflow.getHandle('tiny/round-1').query<RoundProgress>('progress');
  };
  const { steps } = await cpu.runUntil(gpu.runUntil(teacher.runUntil(run())));
  process.stdout.write(`${JSON.stringify(steps)}\n`);
} finally {
  await environment.temporal.teardown();
}
