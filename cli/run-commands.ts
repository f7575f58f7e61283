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
import { addConfigOptions, type ConfigOptions, integer, ownConfig, toWorkflowInput } from './options.ts';
import { describeEnd, formatRounds } from './rounds-table.ts';
import { say } from './say.ts';
import { withClient } from './temporal-client.ts';

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
      withClient((client) => watchToTheEnd(client, workflowId, json, signal)),
    );
}

async function startRun(options: RunOptions, signal: AbortSignal): Promise<void> {
  const { dataRoot, run, seed, more } = options;
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
  await agreeToRun(asked, { run: directory, signal }, options);
  const { takeover } = options;
  const input = {
    ...toWorkflowInput(options, options.rounds),
    more,
    config: resolve(options.config),
    ...(takeover && { takeover }),
  };
  const work = async (client: Client) => {
    const progress = await startOrJoin(client, config.temporal.taskQueues.cpu, workflowId, input, options.config);
    const where = progress?.directory === undefined ? '' : `, joined in round ${progress.round} of ${progress.rounds}`;
    say(`Workflow ${workflowId}${where}`);
    if (progress === undefined && !options.local) {
      say(`No worker answers yet on the queue ${config.temporal.taskQueues.cpu}: dataengine worker cpu`);
    }
    if (!options.detach) await watchToTheEnd(client, workflowId, options.json, signal);
  };
  if (!options.local) return withClient(work);
  const { runLocally } = await import('./run-locally.ts');
  await runLocally({ config, configFile: options.config, run: workflowId, signal }, work);
}

const answerTimeoutMilliseconds = 15_000;

/**
 * Starts the run, or joins the one under way (update-with-start): the workflow decides whether it is the same.
 *
 * @returns its progress, or undefined when it was started but no worker has answered
 */
async function startOrJoin(
  client: Client,
  taskQueue: string,
  workflowId: string,
  input: DataEngineInput,
  configFile: string,
): Promise<DataEngineProgress | undefined> {
  const { WithStartWorkflowOperation, WorkflowUpdateRPCTimeoutOrCancelledError } = await import('@temporalio/client');
  const startWorkflowOperation = new WithStartWorkflowOperation('dataEngine', {
    taskQueue,
    workflowId,
    args: [input],
    workflowIdConflictPolicy: 'USE_EXISTING',
    staticSummary: `Data engine on ${configFile}`,
    memo: { config: input.config, ...(input.run !== undefined && { run: input.run }) },
  });
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

async function watchToTheEnd(client: Client, workflowId: string, json: boolean, signal: AbortSignal): Promise<void> {
  const { watch, watchForm } = await import('./watch/watch.ts');
  const result = await watch(client, workflowId, { form: watchForm({ json }), signal });
  if (json) return;
  const { rounds, report, lastGood, directory } = result;
  process.stdout.write(`${formatRounds(rounds)}\n`);
  process.stdout.write(
    `${describeEnd(result)}\nModel         ${directory}/round-${lastGood}/merged\nReport        ${report}\n`,
  );
}
