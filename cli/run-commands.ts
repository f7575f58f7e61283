/**
 * `run` and `watch`: the loop as a Temporal workflow, started and followed from the terminal.
 */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../configs/load-config.ts';
import { type ConfigOptions, integer, toWorkflowInput } from './options.ts';
import { createProgressDisplay } from './progress-display.ts';
import { formatRounds } from './rounds-table.ts';

interface RunOptions extends ConfigOptions {
  workflowId?: string;
  rounds?: number;
  detach: boolean;
}

/** Adds `dataengine run` and `dataengine watch`. */
export function addRunCommands(program: Command, signal: AbortSignal): void {
  program
    .command('run')
    .description('start the loop on Temporal and watch it; needs a server and workers')
    .requiredOption('--config <file>', 'YAML config')
    .option('--workflow-id <id>', 'default: the run’s name')
    .option('--run <name>', "run (default: the config's, or the workflow id)")
    .option('--rounds <number>', 'data-engine rounds after round 0', integer(0))
    .option('--data-root <folder>', "instead of the config's data.root")
    .option('--seed <number>', "instead of the config's seed", integer(0))
    .option('--detach', 'start it and return', false)
    .addHelpText(
      'after',
      '\nExample:\n  dataengine run --config configs/demo.yaml --workflow-id tuesday\n\nCtrl-C stops watching; the workflow goes on.',
    )
    .action((options: RunOptions) => startRun(options, signal));
  program
    .command('watch <workflow-id>')
    .description('follow a loop that runs on Temporal')
    .addHelpText('after', '\nExample:\n  dataengine watch tuesday')
    .action((workflowId: string) => watch(workflowId, signal));
}

async function startRun(options: RunOptions, signal: AbortSignal): Promise<void> {
  const config = await loadConfig(options.config, { dataRoot: options.dataRoot, run: options.run, seed: options.seed });
  const workflowId = options.workflowId ?? config.run ?? `data-engine-${randomUUID()}`;
  const client = await (await import('./temporal-client.ts')).connectClient();
  try {
    await client.workflow.start('dataEngine', {
      taskQueue: config.temporal.taskQueues.cpu,
      workflowId,
      args: [{ ...toWorkflowInput(options, options.rounds), config: resolve(options.config) }],
      staticSummary: `Data engine on ${options.config}`,
    });
    process.stderr.write(`Workflow ${workflowId}\n`);
  } finally {
    await client.connection.close();
  }
  if (!options.detach) await watch(workflowId, signal);
}

async function watch(workflowId: string, signal: AbortSignal): Promise<void> {
  const client = await (await import('./temporal-client.ts')).connectClient();
  try {
    const { rounds, report, lastGood, stop, directory } = await (await import('./watch-run.ts')).watchRun(
      client,
      workflowId,
      createProgressDisplay(),
      signal,
    );
    process.stdout.write(`${formatRounds(rounds)}\n`);
    process.stdout.write(`Ended   ${stop.reason}\nModel   ${directory}/round-${lastGood}/merged\nReport  ${report}\n`);
  } finally {
    await client.connection.close();
  }
}
