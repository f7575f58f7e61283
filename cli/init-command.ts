import type { Command } from 'commander';
import type { InitOptions } from './init/init.ts';
import { ownConfig } from './options.ts';

/** Adds `dataengine init`. */
export function addInitCommand(program: Command, signal: AbortSignal): void {
  program
    .command('init <folder>')
    .description('look at a folder of images and questions, write a config for it, and check the data')
    .option('--images <folder>', 'where the paths in the questions start (default: found)')
    .option('--questions <file>', 'file of questions (default: the one in the folder)')
    .option('--model <directory>', 'model directory to start from')
    .option('--teacher <name>', 'openai, azure, local, or the address of a server with OpenAI’s protocol')
    .option('--teacher-model <name>', 'model of the teacher')
    .option(
      '--types <source>',
      'question types: discover, column, or a file (default: asked for; else the column, or the list that comes with the program)',
    )
    .option('--skip-invalid', 'leave out records that do not fit, and count them', false)
    .option('--output <file>', 'config to write', ownConfig)
    .option('--replace', 'replace a config and a division of questions that are there', false)
    .addHelpText(
      'after',
      '\nExample:\n  dataengine init photos --model data/stage1 --teacher local\n\nWhat is not given is asked for at a terminal; elsewhere it is an error.',
    )
    .action(async (folder: string, options: InitOptions) => {
      const { askAtTerminal, initialize } = await import('./init/init.ts');
      await initialize(folder, options, askAtTerminal(signal), signal);
    });
}
