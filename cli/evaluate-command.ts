/**
 * `dataengine evaluate`: a round's step, or, with `--benchmark`, any model on any benchmark.
 */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { evaluationNumberFormats } from '../src/config/evaluate-schema.ts';
import type { NumberFormats } from '../src/config/finetune-schema.ts';
import { computeDtypes, weightDtypes } from '../src/config/finetune-schema.ts';
import type { Config } from '../src/config/schema.ts';
import { type ExifMode, exifModes } from '../src/core/images/image-kind.ts';
import { joinInside } from '../src/core/inside.ts';
import { openRunDirectory, type RunDirectory } from '../src/core/run-directory.ts';
import {
  type AnswerMode,
  answerModes,
  benchmarkNames,
  benchmarkOf,
  metricNames,
  metricsWith,
  type PromptName,
  promptNames,
  type QuestionSettings,
  tableFormats,
} from '../src/evaluation/benchmarks/index.ts';
import type { EvaluateModelInput } from '../src/round/evaluate/evaluate-model.ts';
import type { EvaluationSet } from '../src/round/evaluation-sets.ts';
import { stepDirectory } from '../src/round/step-directory.ts';
import {
  addEndpointOptions,
  type EndpointOptions,
  refuseWithoutEndpoint,
  runEndpointEvaluation,
  startEndpointEvaluation,
} from './evaluate-endpoint.ts';
import { addImportCommand } from './evaluate-import.ts';
import { withJudge } from './evaluate-judged.ts';
import { addConfigOptions, type ConfigOptions, integer, loadNamedConfig, missingOption, share } from './options.ts';
import { addTakeoverOption, type TakeoverOption } from './own-run.ts';
import { createProgressDisplay } from './progress-display.ts';
import { tell } from './say.ts';
import { printScores } from './scores-table.ts';
import { runStepCommand } from './step-commands.ts';

interface EvaluateOptions extends Omit<ConfigOptions, 'config'>, EndpointOptions, TakeoverOption {
  config?: string;
  round: number;
  benchmark?: string;
  tsv?: string;
  model?: string;
  file?: string;
  images?: string;
  exif?: ExifMode;
  yes: boolean;
  limit?: number;
  blind: boolean;
  batchSize?: number;
  computeDtype?: NumberFormats['computeDtype'];
  weightDtype?: NumberFormats['weightDtype'];
  trainer?: Config['trainer'];
  answers?: AnswerMode;
  prompt?: PromptName;
  metric?: QuestionSettings['metric'];
  tolerance?: number;
  instruction?: string;
  format?: QuestionSettings['format'];
  skipInvalid?: boolean;
  output?: string;
}

/** Adds `dataengine evaluate`. */
export function addEvaluateCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command('evaluate')
    .description("score a round's merged model, or with --benchmark any model on any benchmark");
  addImportCommand(command, signal);
  addTakeoverOption(addEndpointOptions(addConfigOptions(command, { required: false })))
    .option('--round <number>', 'round', integer(0), 0)
    .option('--benchmark <name>', `a set of the config, or with --file one of ${benchmarkNames.join(', ')}`)
    .option(
      '--tsv <file>',
      "any file of VLMEvalKit's layout, in place of --benchmark and --file; with --metric for short answers",
    )
    .option('--model <folder>', "model directory (default: the round's merged model)")
    .option('--file <file>', "the benchmark's official file")
    .option('--images <folder>', "the benchmark's images, unless its file contains them")
    .addOption(
      new Option('--exif <mode>', "with --benchmark: how images are opened (default: the config's, or apply)").choices(
        exifModes,
      ),
    )
    .option('--yes', 'agree to what the teacher will cost, without being asked', false)
    .option('--limit <number>', 'only this many questions', integer(1))
    .option('--blind', 'leave the image out: shows what the text alone gives away', false)
    .option('--batch-size <number>', "questions at a time (default: the config's, or 16)", integer(1))
    .addOption(
      new Option(
        '--compute-dtype <type>',
        "what matrix products are computed in (default: the config's, or float32)",
      ).choices(computeDtypes),
    )
    .addOption(
      new Option(
        '--weight-dtype <type>',
        "what the model's matrices are kept as (default: the config's, or float32)",
      ).choices(weightDtypes),
    )
    .addOption(
      new Option('--trainer <name>', "with --benchmark: what scores (default: the config's, or tensorflow)").choices([
        'tensorflow',
        'torchrun',
      ]),
    )
    .addOption(
      new Option(
        '--answers <mode>',
        "the model writes its answers, or ranks the choices (default: the config's, or the benchmark's own)",
      ).choices(answerModes),
    )
    .addOption(
      new Option(
        '--prompt <name>',
        "how written answers are asked for (default: the config's, or the words of training)",
      ).choices(promptNames),
    )
    .addOption(
      new Option('--metric <name>', 'how short answers to questions of your own, or of --tsv, are scored').choices(
        metricNames,
      ),
    )
    .option('--tolerance <share>', `of a number, for ${metricsWith('tolerance').join(', ')}`, share)
    .option('--instruction <text>', 'what questions of your own with short answers end with')
    .addOption(
      new Option('--format <name>', "of a file of questions of your own (default: by the file's content)").choices(
        tableFormats,
      ),
    )
    .option('--skip-invalid', 'leave out questions of your own that do not fit')
    .option('--output <folder>', 'default: runs/evaluations/<model>/<set>')
    .addHelpText(
      'after',
      '\nExamples:\n  dataengine evaluate --config configs/demo.yaml --round 0\n' +
        '  dataengine evaluate --benchmark mmbench --file mmbench_dev.tsv --model data/stage1 --blind\n' +
        '  dataengine evaluate --config configs/demo.yaml --benchmark test --round 2 --blind\n' +
        '  dataengine evaluate --benchmark mmbench --file mmbench_dev.tsv --endpoint http://127.0.0.1:8000/v1\n' +
        '  dataengine evaluate --tsv TextVQA_VAL.tsv --metric textvqa-accuracy --model data/stage1\n' +
        '  dataengine evaluate --benchmark questions --file receipts.csv --images receipts --metric anls --model data/stage1',
    )
    .action((options: EvaluateOptions) => {
      refuseWithoutEndpoint(options);
      const { benchmark, config, tsv, temporal: _, detach: __, ...step } = options;
      if (benchmark !== undefined || tsv !== undefined) return evaluateBenchmark(options, signal);
      if (step.endpoint !== undefined)
        throw missingOption('--benchmark', 'and --file or --config: what the endpoint is asked');
      if (config === undefined) throw missingOption('--config', 'or --benchmark with --file and --model');
      const load = async () => (await import('../src/round/evaluate/evaluate.ts')).evaluate;
      return runStepCommand('evaluate', load, { ...step, config }, signal);
    });
}

async function evaluateBenchmark(options: EvaluateOptions, signal: AbortSignal): Promise<void> {
  if (options.temporal) return startEndpointEvaluation(options, (await readConfig(options))?.config, signal);
  const { chooseSet } = await import('../src/round/evaluate/choose-set.ts');
  const named = await readConfig(options);
  const config = named?.config;
  const run = named && openRunDirectory(named.config.runsDirectory, named.runName);
  const formats = config && evaluationNumberFormats(config);
  const set = chooseSet(options, config && run && { config, run });
  if (set.questions?.skipInvalid) await writeLeftOut(set);
  if (options.endpoint !== undefined) return runEndpointEvaluation(options, set, config, signal);
  const { evaluateModel } = await import('../src/round/evaluate/evaluate-model.ts');
  const model = options.model ?? mergedModel(options, run);
  const output =
    options.output ??
    joinInside(joinInside(join('runs', 'evaluations'), model.replace(/[^A-Za-z0-9._]+/g, '-')), set.name);
  const display = createProgressDisplay();
  try {
    const input: EvaluateModelInput = {
      set,
      model,
      output,
      batchSize: options.batchSize ?? config?.evaluate.batchSize ?? 16,
      numberFormats: {
        computeDtype: options.computeDtype ?? formats?.computeDtype ?? 'float32',
        weightDtype: options.weightDtype ?? formats?.weightDtype ?? 'float32',
      },
      bootstrap: { samples: config?.evaluate.bootstrapSamples ?? 1000, seed: options.seed ?? config?.seed ?? 42 },
      context: {
        config: {
          trainer: options.trainer ?? config?.trainer,
          data: { exif: options.exif ?? config?.data.exif ?? 'apply' },
          processes: config?.processes,
          sharding: config?.sharding,
          temporal: { stallTimeoutSeconds: config?.temporal.stallTimeoutSeconds ?? 600 },
        },
        onProgress: (progress) => display.show(`evaluate ${set.name}`, progress),
        signal,
      },
    };
    const scores = await withJudge(set, options, config, input.context, (judge) => evaluateModel({ ...input, judge }));
    display.stop();
    printScores(scores, output);
  } finally {
    display.stop();
  }
}

/** How many questions are left out, by reason. */
async function writeLeftOut(set: EvaluationSet): Promise<void> {
  const { leftOut = {} } = (await benchmarkOf(set.benchmark).check?.(set)) ?? {};
  if (Object.keys(leftOut).length > 0) {
    const { leftOutLine } = await import('../src/round/check-data.ts');
    tell(leftOutLine({ item: set.file, countsByReason: leftOut }));
  }
}

async function readConfig(options: EvaluateOptions): Promise<{ config: Config; runName: string } | undefined> {
  return options.config === undefined ? undefined : loadNamedConfig(options.config, options);
}

function mergedModel({ round }: EvaluateOptions, run?: RunDirectory): string {
  if (run === undefined) throw missingOption('--model', 'or --config and --round');
  return stepDirectory(run, round, 'merge');
}
