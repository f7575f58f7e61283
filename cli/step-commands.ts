/**
 * Each step of a round as a command, with no Temporal: they leave the same files and manifests as the workflow.
 */
import type { Command } from 'commander';
import { formatSeconds } from '../src/core/durations.ts';
import { printable } from '../src/core/printable.ts';
import { worded } from '../src/core/worded.ts';
import type { StepContext, StepOutcome } from '../src/round/step-context.ts';
import { rowOf, type StepName, stepNames, steps } from '../src/round/steps.ts';
import { confirmation, type PriceOptions } from './before-run.ts';
import { interruptible } from './failures.ts';
import { addConfigOptions, type ConfigOptions, integer, loadNamedConfig, ownConfig } from './options.ts';
import { addTakeoverOption, ownRun, type TakeoverOption } from './own-run.ts';
import { createProgressDisplay } from './progress-display.ts';
import { tell } from './say.ts';

type Step = (context: StepContext) => Promise<StepOutcome>;

type StepOptions = ConfigOptions & PriceOptions & TakeoverOption & { round: number; teacher?: boolean };

/** Of `--no-teacher`. */
export const leavesTeacher = 'another machine asks the teacher: its key, and whether it answers, are not checked here';

/** Steps with commands that have options of their own, or no command. */
const otherSteps: readonly StepName[] = ['merge', 'evaluate', 'judge', 'discover', 'compare', 'gate'];

/** What may ask a teacher that costs money. */
const payingSteps = ['prepare-data', 'generate', 'verify', 'classify', 'question-types', 'describe-images'];

/** Adds `dataengine finetune --config FILE …` and its like. */
export function addStepCommands(program: Command, signal: AbortSignal): void {
  for (const name of stepNames.filter((step) => !otherSteps.includes(step))) {
    // Loaded when it is run: `--help` need not wait for libraries.
    const load = async () => (await (await import('../src/round/load-step.ts')).loadStep(name)).run;
    addStepCommand(program, name, { ...rowOf(name), load }, signal);
  }
  addStepCommand(
    program,
    'question-types',
    {
      description: 'have the teacher classify validation questions whose types are known, and report the agreement',
      firstRound: 0,
      load: async () => (await import('../src/round/question-types.ts')).checkQuestionTypes,
    },
    signal,
  );
  addStepCommand(
    program,
    'describe-images',
    {
      description: 'have a teacher with vision write facts of the images in a folder, into data.descriptions.file',
      firstRound: 0,
      load: async () => (await import('../src/round/describe-images.ts')).describeImages,
    },
    signal,
  );
}

function addStepCommand(
  program: Command,
  name: string,
  { description, firstRound, load }: { description: string; firstRound: number; load: () => Promise<Step> },
  signal: AbortSignal,
): void {
  // The last of the three commands from a folder to a report.
  const byDefault = name === 'report' ? { byDefault: ownConfig } : {};
  const command = addConfigOptions(program.command(name).description(description), byDefault);
  if (payingSteps.includes(name))
    command.option('--yes', 'agree to what the teacher will cost, without being asked', false);
  if (name !== 'report') addTakeoverOption(command);
  if (name === 'prepare-data') command.option('--no-teacher', leavesTeacher);
  command
    .option('--round <number>', 'round', integer(0), 0)
    .addHelpText('after', `\nExample:\n  dataengine ${name} --config configs/demo.yaml --round ${firstRound}`)
    .action((options: StepOptions) => runStepCommand(name, load, options, signal));
}

/** Runs a step, all its shards included, and prints its outcome. */
export async function runStepCommand(
  name: string,
  load: () => Promise<Step>,
  options: StepOptions,
  signal: AbortSignal,
): Promise<void> {
  const { round, teacher = true } = options;
  const { config, runName } = await loadNamedConfig(options.config, options);
  const { withNewRun } = await import('../src/round/open-run.ts');
  const { extensions } = await import('../workers/extensions.ts');
  const { ownWholeStep } = await import('../src/round/own-folders.ts');
  const step = await load();
  const display = createProgressDisplay();
  const confirmCost = confirmation(config, options, () => display.stop());
  const onProgress: StepContext['onProgress'] = (progress) => display.show(`round ${round} ${name}`, progress);
  const onRetry: StepContext['onRetry'] = ({ problem, seconds, attempt }) =>
    display.log(`  ${name} is retried after: ${printable(problem)}; attempt ${attempt} in ${formatSeconds(seconds)}`);
  try {
    const owns = name in steps ? ownWholeStep(round, name as StepName) : undefined;
    const workOn = (epoch?: number) =>
      withNewRun(config, runName, { epoch, signal, onProgress, extensions, owns }, async (open) => {
        // The first step looks at everything itself, with the data.
        if (name in steps && name !== 'prepare-data') {
          const { requirePreflight } = await import('../src/round/preflight/preflight.ts');
          for (const note of await requirePreflight(open, name as StepName)) display.log(note);
        }
        return step({ ...open, round, onProgress, onRetry, confirmCost, asksNoTeacher: !teacher });
      });
    // A report is made of a run that others work on, too.
    const outcome = await interruptible(signal, `${name} is stopped. The same command continues it`, () =>
      name === 'report' ? workOn() : ownRun({ config, runName }, name, options, workOn),
    );
    display.stop();
    tell(describeOutcome(name, outcome));
  } finally {
    display.stop();
  }
}

/** The lines that a step's command prints. A cost without a currency is left out: nobody is paid. */
export function describeOutcome(
  name: string,
  { seconds, reused, cost, currency, ...results }: StepOutcome & { cost?: number; currency?: string | undefined },
): string {
  const time = reused ? 'was already done from the same inputs' : `done in ${formatSeconds(seconds)}`;
  const known = Object.entries(results).filter(([, value]) => value !== undefined);
  const lines = known.map(([key, value]) => `  ${worded(key)}: ${describeValue(value)}`);
  if (cost !== undefined && currency !== undefined) lines.push(`  cost: ${cost.toFixed(2)} ${currency}`);
  return [`${name} ${time}`, ...lines].join('\n');
}

function describeValue(value: unknown): string {
  if (typeof value === 'number') return rounded(value);
  if (Array.isArray(value)) return value.map(describeValue).join('; ');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, one]) => `${name} ${describeValue(one)}`)
    .join(', ');
}

function rounded(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1 ? value.toFixed(1) : size >= 0.001 ? value.toFixed(3) : value.toExponential(1);
}
