import type { Command } from 'commander';
import { addDataHistoryCommands } from './data-history-commands.ts';

/** Adds `dataengine data …`: what a config's data is, and what a run has added to it. */
export function addDataCommands(program: Command): void {
  const data = program.command('data').description('check, count, list, compare and export data');
  addDataHistoryCommands(data);
}
