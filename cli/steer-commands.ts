/**
 * `pause`, `resume`, `retry-step` and others: each sends one message to the workflow of a run, as
 * `temporal workflow update execute` would.
 */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Command } from 'commander';
import type { DataEngineProgress, WaitingStep } from '../workflows/messages.ts';
import { integer } from './options.ts';
import { tell } from './say.ts';
import { update, withClient } from './temporal-client.ts';
import { wordsOfActivity } from './watch/activity-words.ts';

/** Adds the commands that steer a run. */
export function addSteerCommands(program: Command): void {
  program
    .command('pause <workflow-id>')
    .description(
      'let a run finish its step and start no other until it is resumed; no further requests go to the teacher',
    )
    .option('--reason <text>', 'shown with the run')
    .option('--now', 'also stop the current step, with a checkpoint', false)
    .addHelpText('after', '\nExample:\n  dataengine pause nightly --reason "the GPU is needed"')
    .action((id: string, { reason, now }: { reason?: string; now: boolean }) =>
      withClient(async (client) => {
        await printStanding(
          client,
          id,
          await update<DataEngineProgress>(client, id, 'pause', reason === undefined ? {} : { reason }),
        );
        if (now) printActivities('stopped', await setActivities(client, id, 'pause'));
      }),
    );
  program
    .command('resume <workflow-id>')
    .description('resume a paused run')
    .addHelpText('after', '\nExample:\n  dataengine resume nightly')
    .action((id: string) =>
      withClient(async (client) => {
        printActivities('resumed', await setActivities(client, id, 'unpause'));
        await printStanding(client, id, await update<DataEngineProgress>(client, id, 'resume'));
      }),
    );
  for (const { name, updateName, description, done } of answers) {
    program
      .command(`${name} <workflow-id>`)
      .description(description)
      .option('--step <name>', 'only if it is this step that waits')
      .addHelpText('after', `\nExample:\n  dataengine ${name} nightly`)
      .action((id: string, { step }: { step?: string }) =>
        withClient(async (client) => {
          const waiting = await update<WaitingStep>(client, id, updateName, step === undefined ? {} : { step });
          const where = waiting.round === undefined ? '' : ` of round ${waiting.round}`;
          tell(`${id}: the step ${waiting.step}${where} ${done}`);
        }),
      );
  }
  program
    .command('add-rounds <workflow-id>')
    .description('add rounds to a run under way')
    .requiredOption('--more <number>', 'how many rounds', integer(1))
    .addHelpText('after', '\nExample:\n  dataengine add-rounds tuesday --more 2')
    .action((id: string, { more }: { more: number }) =>
      withClient(async (client) => {
        const { rounds } = await update<{ rounds: number }>(client, id, 'addRounds', { more });
        tell(`${id}: ${rounds} rounds after round 0`);
      }),
    );
  program
    .command('cancel <workflow-id>')
    .description('cancel a run; its trainer stops with a checkpoint, and a later run resumes from what is there')
    .addHelpText('after', '\nExample:\n  dataengine cancel tuesday')
    .action((id: string) =>
      withClient(async (client) => {
        const handle = client.workflow.getHandle(id);
        // The server takes it for a run that has ended, too, and does nothing.
        const { status } = await handle.describe();
        if (status.name !== 'RUNNING') throw new WorkflowNotFoundError('It has ended', id, undefined);
        await handle.cancel();
        tell(`${id}: cancellation requested; \`dataengine watch ${id}\` shows when it has stopped`);
      }),
    );
}

const answers = [
  {
    name: 'retry-step',
    updateName: 'retryStep',
    description: 'retry a failed step that waits for a person (temporal.failedStep.action: wait)',
    done: 'is retried',
  },
  {
    name: 'skip-step',
    updateName: 'skipStep',
    description: 'skip a failed step that waits for a person and is not required: the report',
    done: 'is skipped',
  },
  {
    name: 'give-up',
    updateName: 'giveUp',
    description: 'fail a run whose failed step waits for a person',
    done: 'fails the run with its error',
  },
];

async function printStanding(client: Client, id: string, progress: DataEngineProgress): Promise<void> {
  const { round, rounds, paused, roundWorkflowId } = progress;
  // The run knows its own steps; the round knows the others.
  const { readRound } = await import('./watch/run-view.ts');
  const current = roundWorkflowId === undefined ? undefined : await readRound(client, roundWorkflowId);
  const step = progress.step ?? current?.steps.at(-1)?.name ?? 'not started';
  const where = `round ${round} of ${rounds ?? '?'}, step ${step}`;
  const state = paused === undefined ? 'running' : 'paused; no step starts after the current one';
  tell(`${id}: ${where}: ${state}`);
}

function printActivities(what: string, names: string[]): void {
  for (const name of names) tell(`  ${name} ${what}`);
}

/** Pauses or unpauses the running activities of a run, its round and its generation. Returns their names. */
async function setActivities(client: Client, workflowId: string, action: 'pause' | 'unpause'): Promise<string[]> {
  const { namespace } = client.options;
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  const names: string[] = [];
  for (const { activityId: id, activityType, paused } of raw.pendingActivities ?? []) {
    if (Boolean(paused) === (action === 'pause')) continue;
    const request = { namespace, execution: { workflowId }, id, identity: client.options.identity };
    if (action === 'pause') await client.workflowService.pauseActivity(request);
    else await client.workflowService.unpauseActivity(request);
    names.push(wordsOfActivity(activityType?.name ?? id ?? ''));
  }
  for (const { workflowId: child } of raw.pendingChildren ?? []) {
    if (child) names.push(...(await setActivities(client, child, action)));
  }
  return names;
}
