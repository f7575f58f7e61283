import { join } from 'node:path';
import { writeJson } from '../core/write-file.ts';
import type { AnsweredQuestion, BenchmarkQuestion } from '../evaluation/benchmarks/benchmark.ts';
import { benchmarkOf } from '../evaluation/benchmarks/index.ts';
import { hashOfWeights, type Scores, writeEvaluation } from '../evaluation/evaluation-files.ts';
import { chooseFromTexts, type SettleUnclear } from '../evaluation/extract-choice.ts';
import { rankAnswers } from '../evaluation/rank-answers.ts';
import type { BootstrapSettings } from '../evaluation/statistics/bootstrap.ts';
import { summarizeMeasures } from '../evaluation/summarize-measures.ts';
import type { EvaluationAnswer } from '../trainer/job-files.ts';
import { answersFile } from './evaluate/results.ts';
import { askQuestions, type EvaluationSet, hashAsked } from './evaluation-sets.ts';

/**
 * Scores the answers to a set's questions and writes all files about them into the folder.
 *
 * @returns their names, and the measures in percent as a manifest keeps them
 */
export async function writeScores({
  set,
  questions,
  losses,
  folder,
  modelFiles,
  bootstrap,
  settleUnclear,
}: {
  set: EvaluationSet;
  questions: readonly BenchmarkQuestion[];
  losses: readonly EvaluationAnswer[];
  folder: string;
  /** File → SHA-256 of the model directory. */
  modelFiles: Record<string, string>;
  bootstrap: BootstrapSettings;
  /** Decides the written answers that the rules can't; without it they count as wrong. */
  settleUnclear?: SettleUnclear | undefined;
}): Promise<{ files: string[]; metrics: Record<string, number>; scores: Scores }> {
  const benchmark = benchmarkOf(set.benchmark);
  const ranked = rankAnswers(questions, losses, (question) => benchmark.ask(question, set.answerMode).answers.length);
  const answered = await chooseFromTexts(benchmark, ranked, settleUnclear);
  const isUnanswered = ({ choice, losses }: AnsweredQuestion) =>
    choice === undefined && (losses.length > 0 || benchmark.writtenChoices !== undefined);
  const lenient = answered.filter((one) => 'lenientChoice' in one);
  const measures = benchmark.score(answered);
  const scores: Scores = {
    schemaVersion: 1,
    set: set.name,
    benchmark: set.benchmark,
    title: benchmark.title,
    blind: set.blind,
    weights: hashOfWeights(modelFiles),
    asked: hashAsked(askQuestions(set, questions)),
    questions: questions.length,
    unanswered: answered.filter(isUnanswered).length,
    ...(lenient.length > 0 && {
      lenientUnanswered: lenient.filter(({ lenientChoice }) => lenientChoice === undefined).length,
    }),
    measures: summarizeMeasures(measures, { ...bootstrap, seed: `${bootstrap.seed}/${set.name}` }),
  };
  const files = await writeEvaluation(folder, scores, measures, answered);
  const official = (await benchmark.write?.(answered, folder)) ?? [];
  const records = set.answersRequired ? benchmark.records?.(answered) : undefined;
  if (records !== undefined) await writeJson(join(folder, answersFile), records);
  return {
    files: [...official, ...(records === undefined ? [] : [answersFile]), ...files],
    metrics: {
      ...Object.fromEntries(Object.entries(scores.measures).map(([measure, { value }]) => [measure, 100 * value])),
      questions: scores.questions,
    },
    scores,
  };
}
