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
    .option('--output <folder>', "default: runs/evaluations/imported/<the file's hash>/<set>")
    .addHelpText(
      'after',
      '\nExample:\n  dataengine evaluate import 20261129_101500_samples_pope.jsonl --output runs/evaluations/base-pope',
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const { output } = command.optsWithGlobals<{ output?: string }>();
      const { importEvaluation } = await import('../src/round/evaluate/import-evaluation.ts');
      const imported = join('runs', 'evaluations', 'imported');
      const folderOf = (set: string, weights: string) =>
        output ?? joinInside(joinInside(imported, weights.slice(0, 12)), set);
      const { scores, folder } = await importEvaluation(file, folderOf);
      process.stdout.write(`${formatScores(scores)}\nIn ${folder}\n`);
    });
}
