/**
 * Each step of a round as a command, with no Temporal: they leave the same files and manifests as the workflow.
 */
import { basename, extname } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../configs/load-config.ts';
import { append } from '../steps/append.ts';
import { classify } from '../steps/classify.ts';
import { embed } from '../steps/embed.ts';
import { evaluate } from '../steps/evaluate.ts';
import { finetune } from '../steps/finetune.ts';
import { freezeConfig } from '../steps/frozen-config.ts';
import { generate } from '../steps/generate.ts';
import { merge } from '../steps/merge.ts';
import { prepareData } from '../steps/prepare-data.ts';
import { refine } from '../steps/refine.ts';
import { report } from '../steps/report.ts';
import { sample } from '../steps/sample.ts';
import type { StepContext, StepOutcome } from '../steps/step-context.ts';
import { type ConfigOptions, integer } from './options.ts';
import { createProgressDisplay } from './progress-display.ts';
import { formatSeconds } from './rounds-table.ts';

type Step = (context: StepContext) => Promise<StepOutcome>;

const steps: { name: string; description: string; step: Step }[] = [
  {
    name: 'prepare-data',
    description: 'render the demo domain when the config asks for it, and check every file and picture',
    step: prepareData,
  },
  { name: 'embed', description: "embed the pool's pictures for the nearest-picture search", step: embed },
  {
    name: 'sample',
    description: "choose what to ask the teacher, from the last round's bad cases and weights",
    step: sample,
  },
  { name: 'generate', description: 'ask the teacher for new samples', step: generate },
  { name: 'refine', description: "parse and filter the teacher's answers", step: refine },
  { name: 'append', description: 'append the accepted samples as a new dataset version', step: append },
  {
    name: 'finetune',
    description: "finetune the adapter on the round's mixture; goes on from its checkpoint",
    step: finetune,
  },
  { name: 'merge', description: 'merge the adapter into the base model', step: merge },
  { name: 'evaluate', description: 'score the merged model on the validation and test questions', step: evaluate },
  { name: 'classify', description: 'sort the bad cases by question type and compute the weights', step: classify },
  { name: 'report', description: 'write report.html', step: report },
];

/** Adds `dataengine finetune --config FILE …` and its like. */
export function addStepCommands(program: Command, signal: AbortSignal): void {
  for (const { name, description, step } of steps) {
    program
      .command(name)
      .description(description)
      .requiredOption('--config <file>', 'YAML config')
      .option('--round <number>', 'round', integer(0), 0)
      .option('--run <name>', "run (default: the config's, or its file name)")
      .option('--data-root <folder>', "instead of the config's data.root")
      .option('--seed <number>', "instead of the config's seed", integer(0))
      .addHelpText('after', `\nExample:\n  dataengine ${name} --config configs/demo.yaml --round ${firstRound(name)}`)
      .action((options: ConfigOptions & { round: number }) => runStepCommand(name, step, options, signal));
  }
}

async function runStepCommand(
  name: string,
  step: Step,
  options: ConfigOptions & { round: number },
  signal: AbortSignal,
): Promise<void> {
  const config = await loadConfig(options.config, { dataRoot: options.dataRoot, run: options.run, seed: options.seed });
  const run = config.run ?? basename(options.config, extname(options.config));
  const frozen = await freezeConfig(config, run);
  const display = createProgressDisplay();
  try {
    const outcome = await step({
      config: frozen.config,
      run: frozen.directory,
      round: options.round,
      onProgress: (progress) => display.show(`round ${options.round} ${name}`, progress),
      signal,
    });
    display.stop();
    process.stdout.write(`${describeOutcome(name, outcome)}\n`);
  } finally {
    display.stop();
  }
}

function describeOutcome(name: string, { seconds, reused, ...results }: StepOutcome): string {
  const time = reused ? 'was already done from the same inputs' : `done in ${formatSeconds(seconds)}`;
  const lines = Object.entries(results).map(
    ([key, value]) => `  ${key}: ${typeof value === 'object' ? JSON.stringify(value) : value}`,
  );
  return [`${name} ${time}`, ...lines].join('\n');
}

function firstRound(name: string): number {
  return ['embed', 'sample', 'generate', 'refine', 'append'].includes(name) ? 1 : 0;
}
