/**
 * Each step of a round as a command, with no Temporal: they leave the same files and manifests as the workflow.
 */
import type { Command } from 'commander';
import { formatSeconds } from '../src/report/format-seconds.ts';
import type { Owned } from '../src/round/own-folders.ts';
import type { StepContext, StepOutcome } from '../src/round/step-context.ts';
import { addConfigOptions, type ConfigOptions, integer, loadNamedConfig } from './options.ts';
import { createProgressDisplay } from './progress-display.ts';

type Step = (context: StepContext) => Promise<StepOutcome>;
// Loaded when they are run: `--help` need not wait for libraries.
const steps: { name: string; description: string; load: () => Promise<Step>; owns?: Owned[] }[] = [
  {
    name: 'prepare-data',
    description: 'render the demo domain when the config asks for it, and check every file and image',
    load: async () => (await import('../src/round/prepare-data.ts')).prepareData,
  },
  {
    name: 'question-types',
    description: 'have the teacher sort validation questions whose types are known, and tell how far it agrees',
    load: async () => (await import('../src/round/question-types.ts')).checkQuestionTypes,
  },
  {
    name: 'embed',
    description: "embed the pool's images for the nearest-image search",
    load: async () => (await import('../src/round/embed.ts')).embed,
    owns: ['embeddings', 'embedding-parts'],
  },
  {
    name: 'sample',
    description: "choose what to ask the teacher, from the last round's bad cases and weights",
    load: async () => (await import('../src/round/sample.ts')).sample,
    owns: ['sample'],
  },
  {
    name: 'generate',
    description: 'ask the teacher for new samples',
    load: async () => (await import('../src/round/generate.ts')).generate,
    owns: ['generate'],
  },
  {
    name: 'verify',
    description: 'ask the teacher its own questions again, when the config sets verify.blindAnswers or the like',
    load: async () => (await import('../src/round/verify.ts')).verify,
    owns: ['verify'],
  },
  {
    name: 'refine',
    description: "parse and filter the teacher's answers",
    load: async () => (await import('../src/round/refine.ts')).refine,
    owns: ['refine'],
  },
  {
    name: 'append',
    description: 'append the accepted samples as a new dataset version',
    load: async () => (await import('../src/round/append.ts')).append,
    owns: ['append'],
  },
  {
    name: 'finetune',
    description: "finetune the adapter on the round's mixture; goes on from its checkpoint",
    load: async () => (await import('../src/round/finetune.ts')).finetune,
    owns: ['finetune'],
  },
  {
    name: 'merge',
    description: 'merge the adapter into the base model',
    load: async () => (await import('../src/round/merge.ts')).merge,
    owns: ['merge'],
  },
  {
    name: 'classify',
    description: 'sort the bad cases by question type and compute the weights',
    load: async () => (await import('../src/round/classify.ts')).classify,
    owns: ['classify'],
  },
  {
    name: 'report',
    description: 'write report.html',
    load: async () => (await import('../src/round/report.ts')).report,
  },
];

/** Adds `dataengine finetune --config FILE …` and its like. */
export function addStepCommands(program: Command, signal: AbortSignal): void {
  for (const { name, description, load, owns } of steps) {
    addConfigOptions(program.command(name).description(description))
      .option('--round <number>', 'round', integer(0), 0)
      .addHelpText('after', `\nExample:\n  dataengine ${name} --config configs/demo.yaml --round ${firstRound(name)}`)
      .action((options: ConfigOptions & { round: number }) =>
        runStepCommand(name, load, options, signal, ...(owns ?? [])),
      );
  }
}

/**
 * Runs one step and prints what came of it.
 *
 * @param owns folders of the run that it writes
 */
export async function runStepCommand(
  name: string,
  load: () => Promise<Step>,
  options: ConfigOptions & { round: number },
  signal: AbortSignal,
  ...owns: Owned[]
): Promise<void> {
  const { round } = options;
  const { config, runName } = await loadNamedConfig(options.config, options);
  const { withNewRun } = await import('../src/round/open-run.ts');
  const { extensions } = await import('../workers/extensions.ts');
  const { ownFolders } = await import('../src/round/own-folders.ts');
  const step = await load();
  const display = createProgressDisplay();
  const onProgress: StepContext['onProgress'] = (progress) => display.show(`round ${round} ${name}`, progress);
  try {
    const work = { signal, onProgress, owns: ownFolders(round, ...owns), extensions };
    const outcome = await withNewRun(config, runName, work, (open) => step({ ...open, round, onProgress }));
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
  return ['embed', 'sample', 'generate', 'verify', 'refine', 'append'].includes(name) ? 1 : 0;
}
