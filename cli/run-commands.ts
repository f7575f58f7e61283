/**
 * `run` and `watch`: the loop as a Temporal workflow, started and followed from the terminal.
 */
import { basename, extname, resolve } from 'node:path';
import type { Client } from '@temporalio/client';
import type { Workflow } from '@temporalio/common';
import type { Command } from 'commander';
import { loadConfig } from '../src/config/load-config.ts';
import { InputError } from '../src/core/input-error.ts';
import { openRunDirectory } from '../src/core/run-directory.ts';
import type { DataEngineInput } from '../workflows/inputs.ts';
import type { DataEngineProgress } from '../workflows/messages.ts';
import { agreeToRun, checkBeforeRun } from './before-run.ts';
import { interruptible } from './failures.ts';
import {
  addConfigOptions,
  type ConfigOptions,
  integer,
  ownConfig,
  requireOwnConfig,
  toWorkflowInput,
} from './options.ts';
import { describeEnd, formatRounds } from './rounds-table.ts';
import { say, tell } from './say.ts';
import { hasWorker, withClient } from './temporal-client.ts';
import { describeUnattended } from './watch/activity-words.ts';

interface RunOptions extends ConfigOptions {
  workflowId?: string;
  rounds?: number;
  more?: number;
  detach: boolean;
  local: boolean;
  json: boolean;
  yes: boolean;
  takeover: boolean;
}

/** Adds `dataengine run` and `dataengine watch`. */
export function addRunCommands(program: Command, signal: AbortSignal): void {
  const command = program
    .command('run')
    .description(
      'start the loop on Temporal, or join it when it is under way, and watch it; requires a server and workers, or --local',
    );
  addConfigOptions(command, { byDefault: ownConfig, run: "run (default: the config's, or the workflow id)" })
    .option(
      '--local',
      'start a server and workers on this machine where there are none, and stop them at the end',
      false,
    )
    .option('--workflow-id <id>', "default: the run's name, or the config file's")
    .option('--rounds <number>', 'data-engine rounds after round 0', integer(0))
    .option('--more <number>', "instead: this many rounds after those in the run's directory", integer(1))
    .option('--yes', 'agree to what the teacher will cost, without being asked', false)
    .option('--takeover', 'take the run over from another workflow, or a step by hand, that works on it', false)
    .option('--detach', 'start it and return', false)
    .option('--json', 'one line of JSON a change', false)
    .addHelpText(
      'after',
      '\nExample:\n  dataengine run --config configs/demo.yaml --workflow-id tuesday\n\nCtrl-C stops watching; the workflow continues. With --local it stops the run, which the same command resumes.',
    )
    .action((options: RunOptions) => startRun(options, signal));
  program
    .command('watch <workflow-id>')
    .description('follow a loop that runs on Temporal: a screen on a terminal, plain lines elsewhere')
    .option('--json', 'one line of JSON a change', false)
    .addHelpText('after', '\nExample:\n  dataengine watch tuesday')
    .action((workflowId: string, { json }: { json: boolean }) =>
      withClient((client) => watchToTheEnd(client, workflowId, { json, signal })),
    );
}

async function startRun(options: RunOptions, signal: AbortSignal): Promise<void> {
  const { dataRoot, run, seed, more } = options;
  await requireOwnConfig(options.config);
  const config = await loadConfig(options.config, { dataRoot, run, seed });
  if (options.local && options.detach) {
    const problem = 'does not go with --local, which stops what it has started when the command ends';
    throw new InputError({ file: 'command line', field: '--detach', problem, remedy: 'Leave one of the two out' });
  }
  const workflowId = options.workflowId ?? config.run ?? basename(options.config, extname(options.config));
  const runName = config.run ?? workflowId;
  // As many as the workflow will add, whatever the config says.
  const rounds = more ?? options.rounds ?? config.rounds;
  const asked = { ...config, rounds };
  const directory = openRunDirectory(resolve(config.runsDirectory), runName);
  await checkBeforeRun(asked, { run: directory, local: options.local, signal });
  const agree = () => agreeToRun(asked, { run: directory, signal }, options);
  const { takeover, json } = options;
  const input = {
    ...toWorkflowInput(options, options.rounds),
    more,
    config: resolve(options.config),
    ...(takeover && { takeover }),
  };
  const queue = config.temporal.taskQueues.cpu;
  const work = async (client: Client, { ownsWorkers }: { ownsWorkers: boolean }) => {
    const isAttended = ownsWorkers || (await hasWorker(client, queue));
    const progress = await startOrJoin(client, { queue, workflowId, isAttended, configFile: options.config }, input);
    const where = progress?.directory === undefined ? '' : `, joined in round ${progress.round} of ${progress.rounds}`;
    say(`Workflow ${workflowId}${where}`);
    // The watch says it too.
    if (options.detach && progress === undefined) say(describeUnattended({ kind: 'cpu', queue }));
    if (!options.detach) await watchToTheEnd(client, workflowId, { json, signal, ownsWorkers });
  };
  if (!options.local) {
    // The price is of use only where the run can start.
    return withClient(async (client) => {
      await agree();
      await work(client, { ownsWorkers: false });
    });
  }
  await agree();
  const { runLocally } = await import('./run-locally.ts');
  await runLocally({ config, configFile: options.config, run: workflowId, signal }, work);
}

const answerTimeoutMilliseconds = 15_000;

/**
 * Starts the run, or joins the one under way (update-with-start): the workflow decides whether it is the same.
 *
 * @param given.isAttended whether a worker is there that may answer
 * @returns its progress, or undefined when it was started but no worker has answered
 */
async function startOrJoin(
  client: Client,
  given: { queue: string; workflowId: string; isAttended: boolean; configFile: string },
  input: DataEngineInput,
): Promise<DataEngineProgress | undefined> {
  const { WithStartWorkflowOperation, WorkflowUpdateRPCTimeoutOrCancelledError } = await import('@temporalio/client');
  const options = {
    taskQueue: given.queue,
    workflowId: given.workflowId,
    args: [input] as [DataEngineInput],
    workflowIdConflictPolicy: 'USE_EXISTING' as const,
    staticSummary: `Data engine on ${given.configFile}`,
    memo: { config: input.config, ...(input.run !== undefined && { run: input.run }) },
  };
  if (!given.isAttended) {
    await client.workflow.start('dataEngine', options);
    return undefined;
  }
  const startWorkflowOperation = new WithStartWorkflowOperation('dataEngine', options);
  try {
    return await client.withDeadline(Date.now() + answerTimeoutMilliseconds, () =>
      client.workflow.executeUpdateWithStart<Workflow, DataEngineProgress, [DataEngineInput]>('join', {
        args: [input],
        startWorkflowOperation,
      }),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return undefined;
    throw error;
  }
}

async function watchToTheEnd(
  client: Client,
  workflowId: string,
  { json, signal, ownsWorkers = false }: { json: boolean; signal: AbortSignal; ownsWorkers?: boolean },
): Promise<void> {
  const { watch, watchForm } = await import('./watch/watch.ts');
  const left = ownsWorkers
    ? `${workflowId} is stopped. The same command resumes it`
    : `${workflowId} continues: \`dataengine watch ${workflowId}\` shows it, \`dataengine cancel ${workflowId}\` ends it`;
  const result = await interruptible(signal, left, () =>
    watch(client, workflowId, { form: watchForm({ json }), signal, ownsWorkers }),
  );
  if (json) return;
  const { rounds, report, lastGood, directory } = result;
  tell(formatRounds(rounds));
  tell(`${describeEnd(result)}\nModel         ${directory}/round-${lastGood}/merged\nReport        ${report}`);
}
