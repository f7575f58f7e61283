import { join } from 'node:path';
import { writeJson } from '../core/write-file.ts';
import type { AnsweredQuestion, BenchmarkQuestion } from '../evaluation/benchmarks/benchmark.ts';
import { benchmarkOf } from '../evaluation/benchmarks/index.ts';
import { hashOfWeights, type Scores, writeEvaluation } from '../evaluation/evaluation-files.ts';
import { chooseFromTexts, type SettleUnclear } from '../evaluation/extract-choice.ts';
import type { JudgedSet } from '../evaluation/judge/judge-figures.ts';
import { rankAnswers } from '../evaluation/rank-answers.ts';
import type { BootstrapSettings } from '../evaluation/statistics/bootstrap.ts';
import { summarizeMeasures, withImages } from '../evaluation/summarize-measures.ts';
import type { EvaluationAnswer } from '../trainer/job-files.ts';
import { answersFile } from './evaluate/results.ts';
import { askQuestions, type EvaluationSet, hashAsked } from './evaluation-sets.ts';

/** Who answered: a model directory (file → SHA-256), perhaps by a server of its own, or a foreign endpoint. */
export type AnsweredBy = ({ modelFiles: Record<string, string> } | Pick<Scores, 'endpoint'>) &
  Pick<Scores, 'ranking' | 'imported'>;

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
  answeredBy,
  bootstrap,
  judged,
  settleUnclear,
}: {
  set: EvaluationSet;
  questions: readonly BenchmarkQuestion[];
  losses: readonly EvaluationAnswer[];
  folder: string;
  answeredBy: AnsweredBy;
  bootstrap: BootstrapSettings;
  /** Of a set whose written answers the teacher judges. */
  judged?: JudgedSet | undefined;
  /** Decides the written answers that the rules can't; without it they count as wrong. */
  settleUnclear?: SettleUnclear | undefined;
}): Promise<{ files: string[]; metrics: Record<string, number>; scores: Scores }> {
  const benchmark = benchmarkOf(set.benchmark);
  const ranked = rankAnswers(questions, losses, (question) => benchmark.ask(question, set.answerMode).answers.length);
  const chosen = new Set(losses.flatMap(({ question_id, choice }) => (choice === undefined ? [] : [question_id])));
  const isChosen = ({ question }: AnsweredQuestion) => chosen.has(question.id);
  const open = ranked.filter((one) => !isChosen(one));
  const found = (await chooseFromTexts(benchmark, open, settleUnclear)).values();
  const answered = ranked.map((one) => {
    const answer = isChosen(one) ? one : (found.next().value as AnsweredQuestion);
    return judged === undefined ? answer : { ...answer, judged: judged.scores.get(answer.question.id) };
  });
  const isUnanswered = (one: AnsweredQuestion) =>
    one.choice === undefined && (isChosen(one) || one.losses.length > 0 || benchmark.writtenChoices !== undefined);
  const lenient = answered.filter((one) => 'lenientChoice' in one);
  const imageOf = new Map(questions.map(({ id, image }) => [id, image]));
  const measures = withImages(benchmark.score(answered), (id) => imageOf.get(id));
  const means = summarizeMeasures(measures, { ...bootstrap, seed: `${bootstrap.seed}/${set.name}` });
  const scores: Scores = {
    schemaVersion: 1,
    set: set.name,
    benchmark: set.benchmark,
    title: benchmark.title,
    blind: set.blind,
    ...whoAnswered(answeredBy),
    asked: hashAsked(askQuestions(set, questions)),
    questions: questions.length,
    unanswered: answered.filter(isUnanswered).length,
    ...(lenient.length > 0 && {
      lenientUnanswered: lenient.filter(({ lenientChoice }) => lenientChoice === undefined).length,
    }),
    ...(judged && { judge: judged.figures }),
    measures: means,
    ...(benchmark.combine && { combined: benchmark.combine(means) }),
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

function whoAnswered({
  ranking,
  imported,
  ...by
}: AnsweredBy): Pick<Scores, 'weights' | 'endpoint' | 'ranking' | 'imported'> {
  const said = { ...(ranking !== undefined && { ranking }), ...(imported && { imported }) };
  if ('modelFiles' in by) return { weights: hashOfWeights(by.modelFiles), ...said };
  return { weights: by.endpoint?.fingerprint ?? '', ...(by.endpoint && { endpoint: by.endpoint }), ...said };
}
