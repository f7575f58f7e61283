/**
 * Runs a config with `dataEngine` on a Temporal server of its own, with a pretended trainer: `run-round.ts CONFIG`. Prints
 * the steps of round 1 as the workflow shows them.
 */
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import type { RoundProgress } from '../../workflows/messages.ts';
import { pretendTrainerEntry } from '../round/tiny-run.ts';
import { startEnvironment, withWorkers } from '../workflows/environment.ts';

const [config] = process.argv.slice(2);
const environment = await startEnvironment();
try {
  const trainer = typescriptTrainer(pretendTrainerEntry);
  const { workflow } = environment.temporal.client;
  const run = async () => {
    await workflow.execute('dataEngine', { taskQueue: 'data-engine', workflowId: 'tiny', args: [{ config }] });
    return workflow.getHandle('tiny/round-1').query<RoundProgress>('progress');
  };
  const { steps } = await withWorkers(environment, trainer, run);
  process.stdout.write(`${JSON.stringify(steps)}\n`);
} finally {
  await environment.temporal.teardown();
}
