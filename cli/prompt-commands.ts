/**
 * `prompt start` and `prompt review`: Interactive Prompt Optimization, started and answered from here.
 */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../src/config/load-config.ts';
import { agreeToPrompt } from './before-run.ts';
import { describeFailure } from './failures.ts';
import { addConfigOptions, type ConfigOptions, integer } from './options.ts';
import { say, tell } from './say.ts';
import { withClient } from './temporal-client.ts';

interface StartOptions extends ConfigOptions {
  workflowId?: string;
  samples?: number;
  yes: boolean;
}

interface ReviewOptions {
  web: boolean;
  port: number;
}

/** Adds `dataengine prompt start` and `dataengine prompt review`. */
export function addPromptCommands(program: Command, signal: AbortSignal): void {
  const prompt = program
    .command('prompt')
    .description("make the teacher's prompt better, with a person's verdicts on sample generations");
  addConfigOptions(
    prompt.command('start').description('start the workflow on Temporal; needs a server and a CPU worker'),
    { run: 'a run to make the prompt for; its next round uses it' },
  )
    .option('--workflow-id <id>', 'default: one of its own')
    .option('--samples <number>', 'images to make sample generations about, 1 to 8 (default: 4)', integer(1))
    .option('--yes', 'agree to what the teacher will cost, without being asked', false)
    .addHelpText(
      'after',
      '\nExample:\n  dataengine prompt start --config configs/minigpt4-7b.yaml --workflow-id better-prompt',
    )
    .action(startPromptOptimization);
  prompt
    .command('review <workflow-id>')
    .description('look at the sample generations and judge them, here or in a browser on this machine')
    .option('--web', 'serve a page on localhost instead', false)
    .option('--port <number>', 'of the page; 0 takes any that is free', integer(0), 0)
    .addHelpText(
      'after',
      '\nExamples:\n  dataengine prompt review better-prompt\n  dataengine prompt review better-prompt --web',
    )
    .action((workflowId: string, options: ReviewOptions) => review(workflowId, options, signal));
}

async function startPromptOptimization(options: StartOptions): Promise<void> {
  const { dataRoot, seed, samples, run: forRun } = options;
  const config = await loadConfig(options.config, { dataRoot, seed });
  await agreeToPrompt(config, samples, options);
  const workflowId = options.workflowId ?? `prompt-${randomUUID()}`;
  await withClient(async (client) => {
    await client.workflow.start('dataEnginePromptOptimization', {
      taskQueue: config.temporal.taskQueues.cpu,
      workflowId,
      args: [{ config: resolve(options.config), dataRoot, seed, samples, forRun }],
      staticSummary: `Prompt optimization on ${options.config}`,
    });
    tell(`Workflow ${workflowId}\nReview it with: dataengine prompt review ${workflowId}`);
  });
}

async function review(workflowId: string, { web, port }: ReviewOptions, signal: AbortSignal): Promise<void> {
  await withClient(async (client) => {
    const { openReview } = await import('./prompt-review/review.ts');
    const session = openReview(client, workflowId);
    if (web) {
      const { serveReview } = await import('./prompt-review/web.ts');
      const report = (error: unknown) => say(describeFailure(error).message);
      const page = await serveReview(session, { port, report });
      say(`Open ${page.address}\nCtrl-C ends the page; the workflow keeps waiting.`);
      await page.ended(signal);
    } else {
      const { reviewInTerminal } = await import('./prompt-review/terminal.ts');
      await reviewInTerminal(session, { input: process.stdin, output: process.stdout, signal });
    }
  });
}
