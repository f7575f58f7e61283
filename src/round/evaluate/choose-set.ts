/** Which questions `dataengine evaluate --benchmark` asks, by its options. */
import { basename, extname } from 'node:path';
import { closest, distance } from 'fastest-levenshtein';
import type { Config } from '../../config/schema.ts';
import { InputError } from '../../core/input-error.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import {
  type AnswerMode,
  type BenchmarkName,
  benchmarkNames,
  benchmarkOf,
  metricsWith,
  type PromptName,
  type QuestionSettings,
} from '../../evaluation/benchmarks/index.ts';
import { setNameOf } from '../../evaluation/evaluation-files.ts';
import { type EvaluationSet, requireEvaluationSet } from '../evaluation-sets.ts';

export interface SetOptions
  extends Pick<QuestionSettings, 'metric' | 'tolerance' | 'instruction' | 'format' | 'skipInvalid'> {
  /** A set of the config, or with a file the benchmark's name. */
  benchmark?: string | undefined;
  /** A file of VLMEvalKit's layout, in place of benchmark and file. */
  tsv?: string | undefined;
  file?: string | undefined;
  images?: string | undefined;
  limit?: number | undefined;
  blind?: boolean | undefined;
  answers?: AnswerMode | undefined;
  prompt?: PromptName | undefined;
}

/**
 * The set that the options mean.
 *
 * @param of the config whose sets can be named, and its run
 * @throws InputError for options that do not fit the benchmark, and one that is not there
 */
export function chooseSet(given: SetOptions, of?: { config: Config; run: RunDirectory }): EvaluationSet {
  const options = given.tsv === undefined ? given : tsvOptions(given.tsv, given);
  const { benchmark = '', file, images, limit, blind = false, answers, prompt } = options;
  if (file === undefined) {
    if (of === undefined)
      throw wrong('--file', 'is missing', 'Give it, or --config with a file that names the benchmark');
    const set = requireEvaluationSet(of.config, of.run, benchmark);
    const blindName = set.blind ? set.name : `${set.name}-blind`;
    const answerMode = answers === undefined ? set.answerMode : requireMode(set.benchmark, answers);
    const asked = {
      answerMode,
      prompt: requirePrompt(set.benchmark, answerMode, prompt ?? (answerMode === 'generated' ? set.prompt : undefined)),
    };
    const questions = questionSettings(set.benchmark, options, set.questions);
    return { ...set, ...asked, questions, limit: limit ?? set.limit, ...(blind && { blind, name: blindName }) };
  }
  if (!isBenchmark(benchmark)) {
    const near = closest(benchmark, benchmarkNames);
    const question = distance(benchmark, near) <= near.length / 3 ? `Did you mean ${near}? ` : '';
    const problem = `there is no benchmark '${benchmark}'`;
    throw wrong('--benchmark', problem, `${question}Name one of ${benchmarkNames.join(', ')}`);
  }
  const answerMode = requireMode(benchmark, answers ?? benchmarkOf(benchmark).answerModes[0]);
  const asked = { answerMode, prompt: requirePrompt(benchmark, answerMode, prompt) };
  const questions = questionSettings(benchmark, options);
  const name = options.tsv === undefined ? benchmark : setNameOf(basename(file, extname(file)), 'tsv');
  return { name: blind ? `${name}-blind` : name, benchmark, file, images, limit, blind, questions, ...asked };
}

/** The settings of the config, but for those of the command line. */
function questionSettings(
  benchmark: BenchmarkName,
  { metric, tolerance, instruction, format, skipInvalid }: SetOptions,
  configured?: QuestionSettings,
): QuestionSettings | undefined {
  const given = { metric, tolerance, instruction, format, skipInvalid };
  const [first] = Object.entries(given).filter(([, value]) => value !== undefined);
  if (first === undefined) return configured;
  if (!benchmarkOf(benchmark).takesQuestionSettings) {
    throw wrong(
      first[0] === 'skipInvalid' ? '--skip-invalid' : `--${first[0]}`,
      `${benchmark} is read and scored as its authors say`,
    );
  }
  const settings = {
    ...configured,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
  const scoredBy = settings.metric ?? 'exact-match';
  if (settings.tolerance !== undefined && !metricsWith('tolerance').includes(scoredBy)) {
    throw wrong('--tolerance', `${scoredBy} has none`);
  }
  return settings;
}

function requireMode(benchmark: BenchmarkName, mode: AnswerMode): AnswerMode {
  const modes = benchmarkOf(benchmark).answerModes;
  if (modes.includes(mode)) return mode;
  throw wrong('--answers', `${benchmark} is ${modes.join(' or ')} only`);
}

function requirePrompt(benchmark: BenchmarkName, mode: AnswerMode, prompt: PromptName = 'training'): PromptName {
  const { prompts = ['training'] } = benchmarkOf(benchmark);
  if (prompt === 'training' || (prompts.includes(prompt) && mode === 'generated')) return prompt;
  throw wrong('--prompt', `${prompt} is for written answers to mmbench only`);
}

function isBenchmark(name: string): name is BenchmarkName {
  return benchmarkNames.some((known) => known === name);
}

/** The set's name is that of the file: several have scores beside each other. */
function tsvOptions(file: string, options: SetOptions): SetOptions {
  for (const other of ['benchmark', 'file'] as const) {
    if (options[other] === undefined) continue;
    throw wrong('--tsv', `stands in place of --${other}`, 'Leave one of them out');
  }
  return { ...options, benchmark: 'tsv', file };
}

function wrong(field: string, problem: string, remedy = 'Leave it out'): InputError {
  return new InputError({ file: 'command line', field, problem, remedy });
}
