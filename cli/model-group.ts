import type { Command } from 'commander';

/** The group of commands `dataengine model …`. */
export function modelGroup(program: Command): Command {
  const known = program.commands.find((command) => command.name() === 'model');
  return known ?? program.command('model').description('models: make one, try one');
}
