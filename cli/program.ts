import tab from '@bomb.sh/tab/commander';
import { Command, type OutputConfiguration } from 'commander';
import { addDemoCommand, addPretrainCommand } from '../demo/command/demo-commands.ts';
import { addAskCommand } from './ask/ask-command.ts';
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
import { addRunCommands } from './run-commands.ts';
import { addPullCommand, addReportRunsCommand } from './run-folder-commands.ts';
import { addScheduleCommands } from './schedule-commands.ts';
import { addScoreCommand } from './score-command.ts';
import { addServeCommand } from './serve-command.ts';
import { addSteerCommands } from './steer-commands.ts';
import { addStepCommands } from './step-commands.ts';
import { addTeacherCommands } from './teacher-commands.ts';

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
    .showHelpAfterError()
    .exitOverride()
    .configureOutput(nameRenamedOptions)
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
  addHubCommands(program, signal);
  addPromptCommands(program, signal);
  addModelCommands(program);
  addServeCommand(program, signal);
  addPretrainCommand(program, signal);
  addWorkerCommand(program);
  addCodecServerCommand(program, signal);
  addSetupCommand(program);
  addDoctorCommand(program);
  // Last: it reads the names and options of the others.
  tab(program, { completionCommandName: 'completion' });
  return program;
}

/** For `configureOutput`: the error about an unknown option names the new one where it was renamed. */
const nameRenamedOptions: OutputConfiguration = {
  outputError: (text, write) => write(withNewName(text)),
};

/** Commands that were replaced → what to type now. */
const replacedCommands: Readonly<Record<string, string>> = {
  generate: '`model generate` was replaced by `dataengine ask MODEL IMAGE "question"`',
};

function withNewName(text: string): string {
  const [, command = ''] = /^error: unknown command '(\w+)'/.exec(text) ?? [];
  const replaced = replacedCommands[command];
  if (replaced !== undefined) return `error: ${replaced}\n`;
  const [, option = ''] = /^error: unknown option '(--[\w-]+)/.exec(text) ?? [];
  const newName = renamedOptions[option];
  return newName === undefined ? text : `error: option '${option}' was renamed to ${newName}\n`;
}
