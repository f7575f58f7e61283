/** `dataengine data review`: a person's decisions on generated samples before anything is trained on them. */
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { InputError } from '../src/core/input-error.ts';
import { isRemote } from '../src/core/remote/store-uri.ts';
import { openRunDirectory } from '../src/core/run-directory.ts';
import type { StepContext } from '../src/round/step-context.ts';
import { describeFailure } from './failures.ts';
import { roundWorkflow } from './gate-commands.ts';
import { addRunOptions, integer, loadNamedConfig, type RunOptions } from './options.ts';
import { say, tell } from './say.ts';
import { update, withClient } from './temporal-client.ts';

interface ReviewOptions extends RunOptions {
  round: number;
  terminal: boolean;
  list: boolean;
  import?: string;
  by?: string;
  port: number;
  continue?: string;
}

/** Adds `dataengine data review`. */
export function addDataReviewCommand(data: Command, signal: AbortSignal): void {
  addRunOptions(
    data
      .command('review <config>')
      .description('keep, edit or reject the generated samples of a round before they are trained on')
      .requiredOption('--round <number>', 'round', integer(1)),
  )
    .option('--terminal', 'in this terminal instead of a page on localhost', false)
    .option('--list', 'print the samples without a decision as JSON lines', false)
    .option('--import <file>', 'take decisions from a file of JSON lines')
    .option('--by <name>', 'who decides (default: the name of your account)')
    .option('--port <number>', 'of the page; 0 takes any that is free', integer(0), 0)
    .option('--continue <workflow-id>', 'once all are decided, continue the run that waits for it')
    .addHelpText(
      'after',
      '\nExamples:\n  dataengine data review configs/demo.yaml --round 1\n  dataengine data review configs/demo.yaml --round 1 --terminal',
    )
    .action((file: string, options: ReviewOptions) => review(file, options, signal));
}

async function review(file: string, options: ReviewOptions, signal: AbortSignal): Promise<void> {
  const { openSampleReview, importDecisions, reviewCounts } = await import('../src/round/review/open-review.ts');
  const session = await openSampleReview(await contextOf(file, options, signal), options.by ?? userInfo().username);
  if (options.list) {
    const { editOf } = await import('../src/round/review/check-edit.ts');
    for (const { key, sample, image, decision } of await session.samples()) {
      const { image_id, question_type } = sample;
      const line = { sample: key, image_id, image, question_type, ...editOf(sample) };
      if (decision === undefined) process.stdout.write(`${JSON.stringify(line)}\n`);
    }
    return;
  }
  if (options.import !== undefined) {
    const taken = await importDecisions(session, options.import);
    tell(`${taken} decisions were taken.`);
  } else if (options.terminal) {
    const { reviewSamplesInTerminal } = await import('./data-review/terminal.ts');
    await reviewSamplesInTerminal(session, { input: process.stdin, output: process.stdout, signal });
  } else {
    const { serveSampleReview } = await import('./data-review/web.ts');
    const report = (error: unknown) => say(describeFailure(error).message);
    const page = await serveSampleReview(session, { port: options.port, report });
    say(`Open ${page.address}\nCtrl-C ends the page; what was decided is kept.`);
    await page.ended(signal);
  }
  const { kept, edited, rejected, undecided } = reviewCounts(await session.samples());
  tell(`Round ${session.round}: ${kept} kept, ${edited} edited, ${rejected} rejected, ${undecided} left`);
  if (undecided > 0 || options.continue === undefined) return;
  await continueRound(options.continue, session.round);
}

async function contextOf(file: string, options: ReviewOptions, signal: AbortSignal): Promise<StepContext> {
  const { config, runName } = await loadNamedConfig(file, options);
  if (isRemote(config.runsDirectory)) {
    const problem = 'is in a store: samples are reviewed in a run on a disk';
    throw new InputError({ file, field: 'runsDirectory', problem, remedy: 'Use a folder for runs that are reviewed' });
  }
  const { extensions } = await import('../workers/extensions.ts');
  const run = openRunDirectory(resolve(config.runsDirectory), runName);
  return { config, run, round: options.round, signal, extensions, onProgress: () => undefined };
}

async function continueRound(workflowId: string, round: number): Promise<void> {
  await withClient(async (client) => {
    await update(client, await roundWorkflow(client, workflowId), 'samplesReviewed');
    tell(`Round ${round} continues`);
  });
}
