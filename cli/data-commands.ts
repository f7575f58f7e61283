import type { Command } from 'commander';
import { addDataCheckCommands } from './data-check-commands.ts';
import { addDataHistoryCommands } from './data-history-commands.ts';
import { addDataReviewCommand } from './data-review-command.ts';
import { addDataSplitCommand } from './data-split-command.ts';

/** Adds `dataengine data …`: a config's data, and what a run has added to it. */
export function addDataCommands(program: Command, signal: AbortSignal): void {
  const data = program.command('data').description('check, count, divide, review, list, compare and export data');
  addDataCheckCommands(data, signal);
  addDataSplitCommand(data, signal);
  addDataReviewCommand(data, signal);
  addDataHistoryCommands(data);
}
