/**
 * Reads the results of a finished round for the report, with the readers of its steps.
 */
import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { joinInside } from '../../core/inside.ts';
import type { Manifest } from '../../core/manifest.ts';
import { describePruned, readPruned } from '../../core/pruned.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { answerWords } from '../../datasets/engine-data.ts';
import type { ImageFolder } from '../../datasets/image-folder.ts';
import { isRight } from '../../evaluation/bad-cases.ts';
import { readScores, scoresFile } from '../../evaluation/evaluation-files.ts';
import { describeJudge } from '../../evaluation/judge/describe-judge.ts';
import {
  type ReportBadCase,
  type ReportGeneratedSample,
  type ReportRejectedAnswer,
  type ReportRound,
  rightByRound,
} from '../../report/report-input.ts';
import { readErrorWeights } from '../classify/results.ts';
import { readComparison, readForgotten } from '../compare/results.ts';
import { readAnswers } from '../evaluate/results.ts';
import { evaluationSets } from '../evaluation-sets.ts';
import { readLosses, readValidationLosses } from '../finetune/results.ts';
import { finishedStep, manifestIn } from '../finished-step.ts';
import { readDecision } from '../gate/lineage.ts';
import { validationImages } from '../loop-questions.ts';
import { readRequestsByType, readUsedWeights } from '../sample/results.ts';
import { keptSamples } from '../select/kept-samples.ts';
import { stepDirectory } from '../step-directory.ts';
import type { TeacherContext } from '../teacher.ts';
import { type CostOfRound, tokensOf } from './read-costs.ts';
import { secondsByStep } from './read-times.ts';

const lossCurvePoints = 300;

/** The figures of a round whose steps have all finished. */
export async function readReportRound(
  context: TeacherContext & { run: RunDirectory },
  round: number,
  costOf: CostOfRound,
): Promise<ReportRound> {
  const { config, run } = context;
  const { manifest: evaluated } = await finishedStep(run, round, 'evaluate');
  const classified = await finishedStep(run, round, 'classify');
  const errorByType = await readErrorWeights(classified.directory);
  const { metrics } = evaluated;
  const { benchmarks, combined, judged } = await readMeasures(config, run, round);
  const isOwn = config.data.validation.questions !== undefined;
  return {
    round,
    ...(isOwn ? mainScores(benchmarks, errorByType) : aokvqaScores(metrics, errorByType)),
    benchmarks,
    ...(combined.length > 0 && { combined }),
    ...(judged.length > 0 && { judged }),
    secondsByStep: await secondsByStep(run, round),
    lossCurve: await readLossCurve(run, round),
    validationLosses: await readValidationLosses((await finishedStep(run, round, 'finetune')).directory),
    serving: await readServing(run, round),
    pruned: await readPrunedModel(run, round),
    ...(await readGateFigures(run, round)),
    ...(await readDataFigures(context, round)),
    cost: costOf(round),
  };
}

type Scored = Pick<ReportRound, 'measure' | 'validation' | 'test'>;

function aokvqaScores(metrics: Manifest['metrics'], errorByType: Record<string, number>): Scored {
  const validation = { mc: share(metrics.validationMultipleChoice), da: share(metrics.validationDirectAnswer) };
  const test = { mc: share(metrics.testMultipleChoice), da: share(metrics.testDirectAnswer) };
  return {
    validation: { ...validation, errorByType },
    test: metrics.testMultipleChoice === undefined ? undefined : test,
  };
}

/** The first measure of a set is its main one. */
function mainScores(benchmarks: ReportRound['benchmarks'], errorByType: Record<string, number>): Scored {
  const mainOf = (name: string) => benchmarks.find(({ set }) => set === name);
  const [validation, test] = [mainOf('validation'), mainOf('test')];
  const score = validation?.value ?? 0;
  return {
    measure: validation?.measure ?? 'score',
    validation: { mc: score, da: score, errorByType },
    test: test && { mc: test.value, da: test.value },
  };
}

/** Empty for a run that an earlier version evaluated: it has no scores yet. */
async function readMeasures(config: Config, run: RunDirectory, round: number) {
  const { directory, manifest } = await finishedStep(run, round, 'evaluate');
  const measures: ReportRound['benchmarks'] = [];
  const combined: NonNullable<ReportRound['combined']> = [];
  const judged: NonNullable<ReportRound['judged']> = [];
  for (const { name } of evaluationSets(config, run)) {
    const folder = name === 'validation' ? '' : name;
    if (!(join(folder, scoresFile) in manifest.outputs)) continue;
    const scores = await readScores(folder === '' ? directory : joinInside(directory, folder));
    if (scores.judge !== undefined) judged.push({ set: name, facts: describeJudge(scores.judge) });
    const title = scores.blind ? `${scores.title}, blind` : scores.title;
    for (const [measure, estimate] of Object.entries(scores.measures)) {
      const { unanswered: exact, lenientUnanswered = exact } = scores;
      const unanswered = measure.startsWith('lenient') ? lenientUnanswered : exact;
      measures.push({ set: name, title, measure, unanswered, ...estimate });
    }
    for (const [figure, { value, unit }] of Object.entries(scores.combined ?? {})) {
      combined.push({ set: name, title, name: figure, value, unit });
    }
  }
  return { benchmarks: measures, combined, judged };
}

async function readGateFigures(run: RunDirectory, round: number): Promise<Pick<ReportRound, 'gate' | 'forgotten'>> {
  const decision = await readDecision(run, round);
  if (decision === undefined) return {};
  const { directory } = await finishedStep(run, round, 'compare');
  const { builtOn, accepted, by, reason, comment, stop } = decision;
  const comparison = builtOn === undefined ? undefined : await readComparison(directory);
  return {
    gate: { builtOn, accepted, by, reason, comment, comparison, stop },
    forgotten: await readForgotten(directory),
  };
}

/** What check-serving has found; undefined where the config does not ask for it. */
async function readServing(run: RunDirectory, round: number): Promise<ReportRound['serving']> {
  const manifest = await manifestIn(run, stepDirectory(run, round, 'check-serving'));
  if (manifest === undefined) return undefined;
  const { questions = 0, nearTies = 0, largestLossDifference } = manifest.metrics;
  return { questions, nearTies, largestLossDifference };
}

async function readPrunedModel(run: RunDirectory, round: number): Promise<string | undefined> {
  const directory = stepDirectory(run, round, 'merge');
  await run.stored?.download(directory);
  const pruned = await readPruned(directory);
  return pruned && describePruned(pruned);
}

type DataFigures = Pick<
  ReportRound,
  'weights' | 'sampledByType' | 'samplesAdded' | 'rejectedByReason' | 'teacherTokens'
>;

async function readDataFigures(context: TeacherContext & { run: RunDirectory }, round: number): Promise<DataFigures> {
  const { run } = context;
  const judged = tokensOf(await manifestIn(run, stepDirectory(run, round, 'judge')));
  if (round === 0) {
    return { weights: {}, sampledByType: {}, samplesAdded: 0, rejectedByReason: {}, teacherTokens: judged };
  }
  const sampled = await finishedStep(run, round, 'sample');
  const generated = await finishedStep(run, round, 'generate');
  const kept = await keptSamples({ ...context, round });
  const verified = await manifestIn(run, stepDirectory(run, round, 'verify'));
  return {
    weights: await readUsedWeights(sampled.directory),
    sampledByType: await readRequestsByType(sampled.directory),
    samplesAdded: kept.accepted,
    rejectedByReason: await kept.readRejectedByReason(),
    teacherTokens: tokensOf(generated.manifest) + tokensOf(verified) + judged,
  };
}

async function readLossCurve(run: RunDirectory, round: number): Promise<ReportRound['lossCurve']> {
  const { directory } = await finishedStep(run, round, 'finetune');
  const curve = await readLosses(directory);
  const stride = Math.max(1, Math.ceil(curve.length / lossCurvePoints));
  // Means, not every n-th loss: what is left out would be noise otherwise.
  return Array.from({ length: Math.ceil(curve.length / stride) }, (_, index) => {
    const part = curve.slice(index * stride, (index + 1) * stride);
    const loss = part.reduce((sum, one) => sum + one.loss, 0) / part.length;
    return { step: part.at(-1)?.step ?? 0, loss };
  });
}

/** The validation questions that any of the rounds' models answered wrongly, with the choice of each. */
export async function readReportBadCases(
  config: Config,
  run: RunDirectory,
  rounds: readonly number[],
): Promise<ReportBadCase[]> {
  const fileOf = await validationImages({ config, run });
  const cases = new Map<string, ReportBadCase>();
  for (const [place, round] of rounds.entries()) {
    const { directory } = await finishedStep(run, round, 'evaluate');
    for (const record of await readAnswers(directory)) {
      const known = cases.get(record.question_id) ?? {
        image: await fileOf(record.image_id),
        questionType: record.question_type,
        question: record.question,
        choices: record.choices,
        correct: record.correct_choice_idx,
        chosen: rounds.map(() => undefined),
        ...(record.choices.length === 0 && {
          short: { right: record.direct_answers, written: rounds.map(() => undefined) },
        }),
      };
      known.chosen[place] = record.model_choice_idx;
      if (known.short !== undefined) {
        known.short.written[place] = { text: record.model_answer, isRight: isRight(record) };
      }
      cases.set(record.question_id, known);
    }
  }
  return [...cases.values()].filter((badCase) => rightByRound(badCase).includes(false));
}

/** A run, and the folder of the images that its samples are about. */
interface RunWithPool {
  config: Config;
  run: RunDirectory;
  pool: ImageFolder;
}

/** The samples that a round added, which are about images of the pool. */
export async function readReportSamples(
  { pool, ...place }: RunWithPool,
  round: number,
): Promise<ReportGeneratedSample[]> {
  if (round === 0) return [];
  const samples = await (await keptSamples({ ...place, round })).read();
  return Promise.all(
    samples.map(async (sample) => ({
      round,
      image: await pool.fileOf(sample.image_id),
      questionType: sample.question_type,
      question: sample.question,
      choices: sample.choices,
      correct: sample.correct_choice_idx,
      answer: answerWords(sample),
      rationale: sample.rationales[0],
    })),
  );
}

/** The answers of the teacher that were filtered out in a round. */
export async function readReportRejected(
  { pool, ...place }: RunWithPool,
  round: number,
): Promise<ReportRejectedAnswer[]> {
  if (round === 0) return [];
  const rejected = await (await keptSamples({ ...place, round })).readRejected();
  return Promise.all(
    rejected.map(async ({ image_id, ...answer }) => ({ round, image: await pool.fileOf(image_id), ...answer })),
  );
}

function share(percent: number | undefined): number {
  return (percent ?? 0) / 100;
}
