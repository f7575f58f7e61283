/** `dataengine evaluate import`: results of lmms-eval and VLMEvalKit as the folder of an evaluation, or as a round's answers. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { joinInside } from '../src/core/inside.ts';
import type { OpenRun } from '../src/round/open-run.ts';
import type { StepContext } from '../src/round/step-context.ts';
import { type ConfigOptions, flagOf, integer, loadNamedConfig, wrongOption } from './options.ts';
import { ownRun, type TakeoverOption } from './own-run.ts';
import { tell } from './say.ts';
import { printScores } from './scores-table.ts';
import { describeOutcome } from './step-commands.ts';

interface ImportOptions extends Omit<ConfigOptions, 'config'>, TakeoverOption {
  output?: string;
  config?: string;
  round: number;
  set?: string;
  measure?: string;
}

/** Adds `dataengine evaluate import` to `dataengine evaluate`, whose `--output`, `--config` and `--round` are its own, too. */
export function addImportCommand(evaluate: Command, signal: AbortSignal): void {
  evaluate
    .command('import <results>')
    .description(
      'take the results of lmms-eval (--log_samples) or VLMEvalKit, question by question: to compare them, or with --config as the answers of a round',
    )
    .option('--output <folder>', "default: runs/evaluations/imported/<the file's hash>/<set>")
    .option('--config <file>', 'take them as the answers of a round of this run')
    .option('--run <name>', "with --config: the run's name (default: the config file's)")
    .option('--round <number>', 'with --config: round', integer(0))
    .option('--set <name>', 'with --config: validation or test (default: validation)')
    .option('--measure <name>', 'with --config: which score says what is right, of a file with several')
    .addHelpText(
      'after',
      '\nExamples:\n  dataengine evaluate import 20261129_101500_samples_pope.jsonl --output runs/evaluations/base-pope\n' +
        '  dataengine evaluate import model_receipts_result.xlsx --config configs/demo.yaml --round 1',
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const { config, ...options } = command.optsWithGlobals<ImportOptions>();
      refuseOthers(command, config !== undefined);
      if (config !== undefined) return importIntoRound(file, { ...options, config }, signal);
      const { importEvaluation } = await import('../src/round/evaluate/import-evaluation.ts');
      const imported = join('runs', 'evaluations', 'imported');
      const folderOf = (set: string, weights: string) =>
        options.output ?? joinInside(joinInside(imported, weights.slice(0, 12)), set);
      const { scores, folder } = await importEvaluation(file, folderOf);
      printScores(scores, folder);
    });
}

const ofRounds = ['run', 'round', 'set', 'measure', 'dataRoot', 'seed', 'takeover'];

/** Options of `evaluate` are taken wherever they stand. @throws InputError for one that means nothing to this import */
function refuseOthers(command: Command, intoRound: boolean): void {
  const commands = command.parent === null ? [command] : [command, command.parent];
  const given = (name: string) => commands.some((one) => one.getOptionValueSource(name) === 'cli');
  const names = new Set(commands.flatMap(({ options }) => options.map((option) => option.attributeName())));
  for (const name of names) {
    if (name === 'config' || !given(name)) continue;
    if (ofRounds.includes(name)) {
      if (!intoRound) throw wrongOption(flagOf(name), 'is for the answers of a round', 'Name the run with --config');
    } else if (name !== 'output') {
      throw wrongOption(flagOf(name), 'means nothing to an import', 'Leave it out');
    } else if (intoRound) {
      throw wrongOption('--output', 'is not for the answers of a round, which are kept in the run', 'Leave it out');
    }
  }
}

/** Keeps the answers; where no set is left to be answered by the model, the round's evaluation is written from them. */
async function importIntoRound(
  file: string,
  options: ImportOptions & { config: string },
  signal: AbortSignal,
): Promise<void> {
  const { round, set = 'validation', measure } = options;
  const { config, runName } = await loadNamedConfig(options.config, options);
  const { withNewRun } = await import('../src/round/open-run.ts');
  const { extensions } = await import('../workers/extensions.ts');
  const { importAnswers, importDirectory, importedAnswers } = await import('../src/round/evaluate/import-answers.ts');
  const { ownFolders } = await import('../src/round/own-folders.ts');
  const { evaluationSets } = await import('../src/round/evaluation-sets.ts');
  const { joinShards } = await import('../src/round/evaluate/evaluate.ts');
  const onProgress: StepContext['onProgress'] = () => undefined;
  const work = {
    signal,
    onProgress,
    extensions,
    owns: (place: Pick<StepContext, 'config' | 'run'>) => [
      importDirectory({ ...place, round }, set),
      ...ownFolders(round, 'evaluate')(place),
    ],
  };
  const importInto = async (open: OpenRun) => {
    const context = { ...open, round, onProgress };
    const lines = [describeOutcome('evaluate import', await importAnswers(context, { set, file, measure }))];
    const left: string[] = [];
    for (const one of evaluationSets(open.config, open.run)) {
      if ((await importedAnswers(context, one)) === undefined) left.push(one.name);
    }
    if (left.length === 0) lines.push(describeOutcome('evaluate', await joinShards(context)));
    else
      lines.push(
        `${left.join(', ')}: the model answers them in \`dataengine evaluate --round ${round}\` or \`dataengine run\``,
      );
    return lines.join('\n');
  };
  const printed = await ownRun({ config, runName }, 'evaluate import', options, (epoch) =>
    withNewRun(config, runName, { ...work, epoch }, importInto),
  );
  tell(printed);
}
