/**
 * Scores any model directory on one benchmark, outside of a run.
 */
import { join } from 'node:path';
import type { NumberFormats } from '../../config/finetune-schema.ts';
import { readJsonLines } from '../../core/read-json.ts';
import type { AnsweredQuestion } from '../../evaluation/benchmarks/benchmark.ts';
import { benchmarkOf } from '../../evaluation/benchmarks/index.ts';
import type { Scores } from '../../evaluation/evaluation-files.ts';
import type { JudgedSet } from '../../evaluation/judge/judge-figures.ts';
import { rankAnswers } from '../../evaluation/rank-answers.ts';
import type { BootstrapSettings } from '../../evaluation/statistics/bootstrap.ts';
import { evaluationAnswerSchema } from '../../trainer/job-files.ts';
import type { TrainerContext } from '../../trainer/supervisor/trainer-step.ts';
import { hashModelFiles } from '../base-model.ts';
import {
  askQuestions,
  checkEvaluationSet,
  type EvaluationSet,
  hashQuestions,
  readEvaluationSet,
} from '../evaluation-sets.ts';
import { writeScores } from '../score-questions.ts';
import { lossesFile, rankQuestions } from './rank-questions.ts';

export interface EvaluateModelInput {
  set: EvaluationSet;
  /** Model directory. */
  model: string;
  /** Folder for the files that a round's `evaluate/<set>/` has; answers that are there already are reused. */
  output: string;
  batchSize: number;
  numberFormats: NumberFormats;
  bootstrap: BootstrapSettings;
  context: TrainerContext;
  /** Has the teacher score the written answers, for a set with the metric `judge`. */
  judge?: ((answered: readonly AnsweredQuestion[], folder: string) => Promise<JudgedSet>) | undefined;
}

/**
 * Answers the questions of a set with a model, and scores the answers.
 *
 * @throws InputError for a model, a benchmark file or images that can't be used
 */
export async function evaluateModel(input: EvaluateModelInput): Promise<Scores> {
  const { set, model, output, batchSize, bootstrap, context } = input;
  const modelFiles = await hashModelFiles(model);
  await checkEvaluationSet(set);
  const questions = await readEvaluationSet(set, join(output, 'images'));
  const directory = join(output, 'ranking');
  await rankQuestions({
    context,
    directory,
    model,
    modelFiles,
    asked: askQuestions(set, questions),
    batchSize,
    ...input.numberFormats,
    inputs: { questions: await hashQuestions(set) },
  });
  const losses = await readJsonLines(join(directory, lossesFile), evaluationAnswerSchema);
  const { ask } = benchmarkOf(set.benchmark);
  const answered = () => rankAnswers(questions, losses, (question) => ask(question, set.answerMode).answers.length);
  const judged = await input.judge?.(answered(), output);
  const answeredBy = { modelFiles };
  return (await writeScores({ set, questions, losses, folder: output, answeredBy, bootstrap, judged })).scores;
}
