import tab from '@bomb.sh/tab/commander';
import { Command } from 'commander';
import { closest, distance } from 'fastest-levenshtein';
import { addDemoCommand, addPretrainCommand } from '../demo/command/demo-commands.ts';
import { fitted } from '../scripts/setup/terminal-text.mjs';
import { valueIn } from '../src/core/records.ts';
import { addAskCommand } from './ask/ask-command.ts';
import { addCleanCommand } from './clean-command.ts';
import { addCodecServerCommand } from './codec-server-command.ts';
import { addCompareCommand } from './compare-command.ts';
import { addDataCommands } from './data-commands.ts';
import { addDiscoverCommands } from './discover-commands.ts';
import { addEvaluateCommand } from './evaluate-command.ts';
import { addGateCommands } from './gate-commands.ts';
import { addHubCommands } from './hub-commands.ts';
import { addInitCommand } from './init-command.ts';
import { addDoctorCommand, addSetupCommand, addWorkerCommand } from './machine-commands.ts';
import { addMergeCommand } from './merge-command.ts';
import { addModelCommands } from './model/commands.ts';
import { addPowerCommand } from './power-command.ts';
import { addPromptCommands } from './prompt-commands.ts';
import { addPruneCommand } from './prune-command.ts';
import { addRunCommands } from './run-commands.ts';
import { addPullCommand, addReportRunsCommand } from './run-folder-commands.ts';
import { addScheduleCommands } from './schedule-commands.ts';
import { addScoreCommand } from './score-command.ts';
import { addServeCommand } from './serve-command.ts';
import { addSteerCommands } from './steer-commands.ts';
import { addStepCommands } from './step-commands.ts';
import { addTeacherCommands } from './teacher-commands.ts';
import { addTemporalCommand } from './temporal-command.ts';
import { addTrackCommand } from './track-command.ts';

/** Options that had another name before → their names now. */
const renamedOptions: Readonly<Record<string, string>> = {
  '--picture': '--image',
  '--pictures': '--images',
  '--precision': '--compute-dtype',
  '--weight-storage': '--weight-dtype',
};

/**
 * The commands of `dataengine`. Aborting the signal stops the one that runs.
 */
export function createProgram(signal: AbortSignal): Command {
  const program = new Command('dataengine')
    .description('A closed loop that makes a multimodal LLM better at what it is worst at.')
    .exitOverride()
    // For `temporal`, whose options are not ours.
    .enablePositionalOptions()
    .showSuggestionAfterError(false)
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong input, 130 interrupted.');
  addDemoCommand(program, signal);
  addInitCommand(program, signal);
  addRunCommands(program, signal);
  addSteerCommands(program);
  addScheduleCommands(program);
  addStepCommands(program, signal);
  addDiscoverCommands(program, signal);
  addGateCommands(program, signal);
  addDataCommands(program, signal);
  addTeacherCommands(program, signal);
  addMergeCommand(program, signal);
  addEvaluateCommand(program, signal);
  addAskCommand(program, signal);
  addCompareCommand(program);
  addPowerCommand(program);
  addScoreCommand(program);
  addReportRunsCommand(program);
  addPullCommand(program, signal);
  addPruneCommand(program, signal);
  addTrackCommand(program, signal);
  addHubCommands(program, signal);
  addPromptCommands(program, signal);
  addModelCommands(program);
  addServeCommand(program, signal);
  addPretrainCommand(program, signal);
  addWorkerCommand(program);
  addCodecServerCommand(program, signal);
  addSetupCommand(program);
  addDoctorCommand(program);
  addCleanCommand(program);
  addTemporalCommand(program, signal);
  speakWithinColumns(program);
  // Last: it reads the names and options of the others.
  tab(program, { completionCommandName: 'completion' });
  return program;
}

/** Commands that were replaced → what to type now. */
const replacedCommands: Readonly<Record<string, string>> = {
  generate: '`model generate` was replaced by `dataengine ask MODEL IMAGE "question"`',
};

/** What people type for a command that has another name. */
const otherWords: Readonly<Record<string, string>> = {
  train: 'finetune',
  'fine-tune': 'finetune',
  eval: 'evaluate',
  test: 'evaluate',
  start: 'run',
  stop: 'cancel',
  kill: 'cancel',
  status: 'watch',
  logs: 'watch',
  list: 'temporal workflow list',
  install: 'setup',
  check: 'doctor',
  chat: 'ask',
  server: 'serve',
};

/**
 * Of each command: an error is the last line, below the usage in one line, since a page of help would hide it. Help breaks
 * between words, but for examples, which are copied.
 */
function speakWithinColumns(command: Command): void {
  command.configureOutput({
    writeOut: (text) => {
      const lines = text.split('\n').map((line) => (line.startsWith(' ') ? line : fitted(line, process.stdout)));
      process.stdout.write(lines.join('\n'));
    },
    outputError: (text, write) =>
      write(fitted(`${usageOf(command)}\n${describeUsageError(command, text)}`, process.stderr)),
  });
  for (const child of command.commands) speakWithinColumns(child);
}

function usageOf(command: Command): string {
  let path = command.name();
  for (let parent = command.parent; parent !== null; parent = parent.parent) path = `${parent.name()} ${path}`;
  return `Usage: ${path} ${command.usage()}\n${path} --help says more.`;
}

function describeUsageError(command: Command, text: string): string {
  const [, unknown] = /^error: unknown command '(.*)'/.exec(text) ?? [];
  if (unknown !== undefined) return `error: ${describeUnknownCommand(command, unknown)}\n`;
  const known = [...command.options.flatMap(({ long }) => long ?? []), '--help'];
  const isMissing = /^error: required option /.test(text);
  // A misspelled option that is required is missing too, which commander says first.
  const [, option] = isMissing
    ? (/^(--[\w-]+)/.exec(
        command.args.find((word) => word.startsWith('--') && nearest(word, known) !== undefined) ?? '',
      ) ?? [])
    : (/^error: unknown option '(--[\w-]+)/.exec(text) ?? []);
  if (option === undefined) return text;
  if (isMissing) return `error: unknown option '${option}'. Did you mean ${nearest(option, known)}?\n`;
  const newName = renamedOptions[option];
  if (newName !== undefined) return `error: option '${option}' was renamed to ${newName}\n`;
  const near = nearest(option, known);
  return near === undefined ? text : `${text.trimEnd()}. Did you mean ${near}?\n`;
}

function describeUnknownCommand(command: Command, unknown: string): string {
  const replaced = valueIn(replacedCommands, unknown);
  if (replaced !== undefined) return replaced;
  const names = command.commands
    .flatMap((child) => [child.name(), ...child.aliases()])
    .filter((name) => name !== 'complete');
  const others = command.parent === null ? otherWords : {};
  const meant = nearest(unknown, [...names, ...Object.keys(others)]);
  const near = meant === undefined ? undefined : (valueIn(others, meant) ?? meant);
  const words = `unknown command '${unknown}'`;
  if (near !== undefined) return `${words}. Did you mean ${near}?`;
  // Those of `dataengine` itself are too many.
  return command.parent === null ? words : `${words}. There are ${names.join(', ')}`;
}

/** The name that differs least, in at most half of its letters. */
function nearest(given: string, names: readonly string[]): string | undefined {
  const name = closest(given, names);
  return distance(given, name) <= Math.max(2, name.length / 2) ? name : undefined;
}
