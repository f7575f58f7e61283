/** `dataengine evaluate import`: results of lmms-eval and VLMEvalKit as the folder of an evaluation. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { joinInside } from '../src/core/inside.ts';
import { formatScores } from './scores-table.ts';

/** Adds `dataengine evaluate import` to `dataengine evaluate`, whose `--output` is its own, too. */
export function addImportCommand(evaluate: Command): void {
  evaluate
    .command('import <results>')
    .description('take the results of lmms-eval (--log_samples) or VLMEvalKit, question by question, to compare them')
    .option('--output <folder>', 'default: runs/evaluations/imported/<set>')
    .addHelpText(
      'after',
      '\nExample:\n  dataengine evaluate import 20261129_101500_samples_pope.jsonl --output runs/evaluations/base-pope',
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const { output } = command.optsWithGlobals<{ output?: string }>();
      const { importEvaluation } = await import('../src/round/evaluate/import-evaluation.ts');
      const folderOf = (set: string) => output ?? joinInside(join('runs', 'evaluations', 'imported'), set);
      const { scores, folder } = await importEvaluation(file, folderOf);
      process.stdout.write(`${formatScores(scores)}\nIn ${folder}\n`);
    });
}
