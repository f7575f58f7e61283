/**
 * What a finished round left, for the report.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../configs/schema.ts';
import { aokvqaPicturePath } from '../datasets/aokvqa.ts';
import { readEngineData } from '../datasets/engine-data.ts';
import { readScores, scoresFile } from '../evaluation/evaluation-files.ts';
import { type EvaluatedQuestion, readEvaluatedQuestions, readWeights } from '../evaluation/records.ts';
import type { ReportBadCase, ReportGeneratedSample, ReportRound } from '../report/report-input.ts';
import { type Manifest, readManifest } from '../store/manifest.ts';
import { readJson, readJsonLines } from '../store/read-json.ts';
import { type RunDirectory, roundDirectory, type StepName, stepDirectory } from '../store/run-directory.ts';
import { weightsFile } from './classify.ts';
import { poolPictures, type QuestionSet, questionSet } from './dataset-paths.ts';
import { engineDataFile } from './engine-data-files.ts';
import { evaluationSets } from './evaluation-sets.ts';
import { finishedStep } from './finished-step.ts';
import { rejectedByReasonFile, rejectedFile } from './refine.ts';
import { requestsByTypeFile, usedWeightsFile } from './sample.ts';

const countsSchema = z.record(z.string(), z.number());
const lossSchema = z.object({ step: z.number(), loss: z.number() });
const stepNames: StepName[] = [
  'sample',
  'generate',
  'verify',
  'refine',
  'append',
  'finetune',
  'merge',
  'evaluate',
  'classify',
];
const rejectedSchema = z.object({ reason: z.string(), detail: z.string(), raw: z.string() });
const lossCurvePoints = 300;
const rejectedExamplesOfReason = 3;

/** The figures of a round whose steps have all finished. */
export async function readReportRound(config: Config, run: RunDirectory, round: number): Promise<ReportRound> {
  const { manifest: evaluated } = await finishedStep(run, round, 'evaluate');
  const classified = await finishedStep(run, round, 'classify');
  const errorByType = await readWeights(join(classified.directory, weightsFile));
  const { metrics } = evaluated;
  return {
    round,
    validation: { mc: share(metrics.validationMultipleChoice), da: share(metrics.validationDirectAnswer), errorByType },
    test:
      metrics.testMultipleChoice === undefined
        ? undefined
        : { mc: share(metrics.testMultipleChoice), da: share(metrics.testDirectAnswer) },
    benchmarks: await readMeasures(config, run, round),
    seconds: await workingSeconds(run, round),
    lossCurve: await readLossCurve(run, round),
    ...(await readDataFigures(run, round)),
  };
}

/** A run that an earlier version evaluated has no scores yet: then there is nothing to show. */
async function readMeasures(config: Config, run: RunDirectory, round: number): Promise<ReportRound['benchmarks']> {
  const { directory, manifest } = await finishedStep(run, round, 'evaluate');
  const measures: ReportRound['benchmarks'] = [];
  for (const { name } of evaluationSets(config, run)) {
    const folder = name === 'validation' ? '' : name;
    if (!(join(folder, scoresFile) in manifest.outputs)) continue;
    const scores = await readScores(join(directory, folder));
    const title = scores.blind ? `${scores.title}, blind` : scores.title;
    for (const [measure, estimate] of Object.entries(scores.measures)) {
      measures.push({ set: name, title, measure, unanswered: scores.unanswered, ...estimate });
    }
  }
  return measures;
}

type DataFigures = Pick<
  ReportRound,
  'weights' | 'sampledByType' | 'samplesAdded' | 'rejectedByReason' | 'rejectedExamples' | 'teacherTokens'
>;

async function readDataFigures(run: RunDirectory, round: number): Promise<DataFigures> {
  if (round === 0) {
    return {
      weights: {},
      sampledByType: {},
      samplesAdded: 0,
      rejectedByReason: {},
      rejectedExamples: [],
      teacherTokens: 0,
    };
  }
  const sampled = await finishedStep(run, round, 'sample');
  const generated = await finishedStep(run, round, 'generate');
  const refined = await finishedStep(run, round, 'refine');
  return {
    weights: await readWeights(join(sampled.directory, usedWeightsFile)),
    sampledByType: await readJson(join(sampled.directory, requestsByTypeFile), countsSchema),
    samplesAdded: refined.manifest.metrics.accepted ?? 0,
    rejectedByReason: await readJson(join(refined.directory, rejectedByReasonFile), countsSchema),
    rejectedExamples: await readRejectedExamples(join(refined.directory, rejectedFile)),
    teacherTokens: tokens(generated.manifest) + tokens(await readManifest(stepDirectory(run, round, 'verify'))),
  };
}

function tokens(manifest: Manifest | undefined): number {
  return (manifest?.metrics.promptTokens ?? 0) + (manifest?.metrics.completionTokens ?? 0);
}

/** The first few rejected answers of each reason, by reason. */
async function readRejectedExamples(file: string): Promise<ReportRound['rejectedExamples']> {
  const byReason = new Map<string, ReportRound['rejectedExamples']>();
  for (const { reason, detail, raw } of await readJsonLines(file, rejectedSchema)) {
    const ofReason = byReason.get(reason) ?? [];
    byReason.set(reason, ofReason);
    if (ofReason.length < rejectedExamplesOfReason) ofReason.push({ reason, detail, raw });
  }
  return [...byReason.keys()].sort().flatMap((reason) => byReason.get(reason) ?? []);
}

async function workingSeconds(run: RunDirectory, round: number): Promise<number> {
  const parts = join(roundDirectory(run, round), 'evaluate-parts');
  const partNames = await readdir(parts).catch(() => []);
  const directories = [
    ...stepNames.map((step) => stepDirectory(run, round, step)),
    ...partNames.map((name) => join(parts, name)),
  ];
  const manifests = await Promise.all(directories.map(readManifest));
  const seconds = ({ startedAt, finishedAt }: Manifest) => (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000;
  return manifests.reduce((sum, manifest) => sum + (manifest === undefined ? 0 : seconds(manifest)), 0);
}

async function readLossCurve(run: RunDirectory, round: number): Promise<ReportRound['lossCurve']> {
  const { directory } = await finishedStep(run, round, 'finetune');
  const curve = await readJsonLines(join(directory, 'loss.jsonl'), lossSchema);
  const stride = Math.max(1, Math.ceil(curve.length / lossCurvePoints));
  return curve.filter((_, index) => index % stride === 0);
}

/** The validation questions that a round's model got wrong. */
export async function readReportBadCases(config: Config, run: RunDirectory, round: number): Promise<ReportBadCase[]> {
  const { directory } = await finishedStep(run, round, 'evaluate');
  const { pictures } = questionSet(config, 'validation') as QuestionSet;
  const records = await readEvaluatedQuestions(join(directory, 'aokvqa_eval.json'));
  const wrong = records.filter((record: EvaluatedQuestion) => record.model_choice_idx !== record.correct_choice_idx);
  return wrong.map((record) => ({
    round,
    picture: aokvqaPicturePath(pictures, record.image_id),
    questionType: record.question_type,
    question: record.question,
    choices: record.choices,
    chosen: record.model_choice_idx,
    correct: record.correct_choice_idx,
  }));
}

/** The samples that a round added. */
export async function readReportSamples(
  config: Config,
  run: RunDirectory,
  round: number,
): Promise<ReportGeneratedSample[]> {
  if (round === 0) return [];
  const { directory } = await finishedStep(run, round, 'refine');
  const samples = await readEngineData(join(directory, engineDataFile(round)));
  return samples.map((sample) => ({
    round,
    picture: aokvqaPicturePath(poolPictures(config), sample.image_id),
    questionType: sample.question_type,
    question: sample.question,
    choices: sample.choices,
    correct: sample.correct_choice_idx,
    rationale: sample.rationales[0],
  }));
}

function share(percent: number | undefined): number {
  return (percent ?? 0) / 100;
}
