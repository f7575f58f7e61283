/**
 * Scores the merged model: the trainer ranks the answers to the questions in shards, then the shards are joined and the
 * scores computed.
 */

import { join } from 'node:path';
import { evaluationNumberFormats } from '../../config/evaluate-schema.ts';
import { InputError } from '../../core/input-error.ts';
import { joinInside } from '../../core/inside.ts';
import { type Manifest, runStepOnce } from '../../core/manifest.ts';
import { emptyRecord } from '../../core/records.ts';
import type { BenchmarkQuestion } from '../../evaluation/benchmarks/benchmark.ts';
import { benchmarkOf } from '../../evaluation/benchmarks/index.ts';
import type { Ranking } from '../../evaluation/endpoint/rankings.ts';
import { readScores, type Scores } from '../../evaluation/evaluation-files.ts';
import type { EvaluationQuestion } from '../../trainer/job-files.ts';
import {
  askQuestions,
  type EvaluationSet,
  evaluationSets,
  extractedImagesFolder,
  hashAsked,
  hashQuestions,
  readEvaluationSet,
  requireEvaluationSet,
} from '../evaluation-sets.ts';
import { finishedStep } from '../finished-step.ts';
import { judge } from '../judge/judge.ts';
import { readJudged } from '../judge/results.ts';
import { isJudged, judges } from '../judge/work.ts';
import { contentSettings, type LoopQuestion } from '../loop-questions.ts';
import { mergedModel, wholeMergedModel } from '../merge/whole-model.ts';
import { questionTypesOf } from '../question-types.ts';
import { writeScores } from '../score-questions.ts';
import { itemsOfShard, requireShard } from '../shards.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { evaluationShardDirectory, stepDirectory } from '../step-directory.ts';
import { extractorOf, settleUnclearOf } from '../teacher.ts';
import { importedAnswers } from './import-answers.ts';
import { rankQuestions } from './rank-questions.ts';
import type { EvaluateOutcome, EvaluateShardOutcome } from './results.ts';
import { answerByServer, readRanking } from './serve-shard.ts';
import { readSetAnswers, shardFolders } from './set-answers.ts';

/** Must be raised whenever the same losses lead to other files: a round is then scored again. */
const resultsVersion = 6;

/** Scores all shards of all sets one after another, and joins them. Its time is that of all together. */
export async function evaluate(context: StepContext): Promise<EvaluateOutcome> {
  const { config, run } = context;
  let seconds = 0;
  for (const { name } of evaluationSets(config, run)) {
    for (let shard = 0; shard < config.evaluate.shards; shard += 1)
      seconds += (await evaluateShard(context, { set: name, shard })).seconds;
  }
  if (judges(config)) seconds += (await judge(context)).seconds;
  const joined = await joinShards(context);
  return { ...joined, seconds: joined.seconds + seconds };
}

/** Scores one shard of a set: `round-<k>/evaluate-shards/<set>-<i>-of-<n>/losses.jsonl`. */
export async function evaluateShard(
  context: StepContext,
  { set: name, shard }: { set: string; shard: number },
): Promise<EvaluateShardOutcome> {
  const { config, run } = context;
  const set = requireEvaluationSet(config, run, name);
  if ((await importedAnswers(context, set)) !== undefined) return { seconds: 0, reused: true, questions: 0 };
  const merged = await mergedModel(context);
  const questions = await readEvaluationSet(set, extractedImagesFolder(run));
  const { shards: count } = config.evaluate;
  const all = askQuestions(set, questions);
  const asked = count === 1 ? all : itemsOfShard(byImage(all), shard, count);
  const work = {
    context,
    directory: evaluationShardDirectory(context, { set: name, shard }),
    model: merged.directory,
    openModel: () => wholeMergedModel(context),
    modelFiles: merged.manifest.outputs,
    asked,
    inputs: { questions: await hashQuestions(set), shard, count },
  };
  const { engine, batchSize, keyValueCache } = config.evaluate;
  const done =
    engine === 'endpoint'
      ? await answerByServer({ ...work, blind: set.blind })
      : await rankQuestions({ ...work, batchSize, keyValueCache, ...evaluationNumberFormats(config) });
  return { ...outcomeOf(done), questions: asked.length };
}

/**
 * Joins the shards. Into `evaluate/` go the validation questions' `aokvqa_eval.json` and scores, into
 * `evaluate/<set>/` those of every other set.
 */
export async function joinShards(context: StepContext): Promise<EvaluateOutcome> {
  const { config, run, round } = context;
  const merged = await mergedModel(context);
  const directory = stepDirectory(run, round, 'evaluate');
  const sets = evaluationSets(config, run);
  const shards: Record<string, unknown> = emptyRecord();
  const asked: Record<string, string> = emptyRecord();
  const contents: Record<string, unknown> = emptyRecord();
  const questionsOf = new Map<string, BenchmarkQuestion[]>();
  const importedOf = new Map<string, Scores['imported']>();
  for (const set of sets) {
    const questions = await readTypedQuestions(context, set);
    questionsOf.set(set.name, questions);
    asked[set.name] = hashAsked(askQuestions(set, questions));
    // The right answers are in the file alone.
    contents[set.name] = { file: await hashQuestions(set), settings: contentSettings(set.questions) };
    const imported = await importedAnswers(context, set);
    if (imported !== undefined) {
      importedOf.set(set.name, imported.info);
      shards[`${set.name}-imported`] = imported.outputs;
      continue;
    }
    for (const [shard, folder] of shardFolders(context, set).entries()) {
      shards[`${set.name}-${shard}`] = (await requireShard(context, 'evaluate', folder)).outputs;
    }
  }
  const scored = sets.some(isJudged) ? await finishedStep(run, round, 'judge') : undefined;
  const judged = scored && (await readJudged(scored.directory));
  const types = Object.fromEntries([...questionsOf].map(([name, questions]) => [name, questions.map(typeOf)]));
  const done = await runStepOnce({
    directory,
    step: 'evaluate',
    inputs: {
      version: resultsVersion,
      shards,
      asked,
      contents,
      types,
      ...(scored && { judged: scored.manifest.outputs }),
      ...extractionOf(context, sets),
      bootstrapSamples: config.evaluate.bootstrapSamples,
      seed: config.seed,
    },
    work: async () => {
      const outputs: string[] = [];
      const metrics: Record<string, number> = {};
      for (const set of sets) {
        const folder = set.name === 'validation' ? '' : set.name;
        const questions = questionsOf.get(set.name) as BenchmarkQuestion[];
        const imported = importedOf.get(set.name);
        const written = await writeScores({
          set,
          questions,
          losses: await readSetAnswers(context, set),
          judged: judged?.(set.name),
          folder: folder === '' ? directory : joinInside(directory, folder),
          answeredBy: {
            modelFiles: merged.manifest.outputs,
            ...(imported ? { imported } : await rankingOf(context, set, questions)),
          },
          settleUnclear: settleUnclearOf(context),
          bootstrap: { samples: config.evaluate.bootstrapSamples, seed: config.seed },
        });
        outputs.push(...written.files.map((file) => join(folder, file)));
        for (const [measure, value] of Object.entries(written.metrics))
          metrics[`${set.name}${capital(measure)}`] = value;
      }
      return { outputs, metrics };
    },
  });
  const { metrics } = done.manifest;
  return {
    ...outcomeOf(done),
    multipleChoice: metrics.validationMultipleChoice ?? 0,
    directAnswer: metrics.validationDirectAnswer ?? 0,
    testMultipleChoice: metrics.testMultipleChoice,
    testDirectAnswer: metrics.testDirectAnswer,
    ...(await ownScores(sets, directory)),
    questions: metrics.validationQuestions ?? 0,
    ...(scored && { judging: tokensOf(scored.manifest) }),
  };
}

function tokensOf({ metrics: { promptTokens = 0, completionTokens = 0 } }: Manifest) {
  return { promptTokens, completionTokens };
}

/** Of questions of your own the main score alone, in place of all. */
async function ownScores(sets: readonly EvaluationSet[], directory: string): Promise<Partial<EvaluateOutcome>> {
  const [validation, test] = await Promise.all(
    ['validation', 'test'].map(async (name) => {
      const set = sets.find((one) => one.name === name);
      if (set?.benchmark !== 'questions') return undefined;
      const { measures } = await readScores(name === 'validation' ? directory : joinInside(directory, name));
      const [[measure, { value }] = ['score', { value: 0 }]] = Object.entries(measures);
      return { measure, percent: 100 * value };
    }),
  );
  return {
    ...(validation && {
      measure: validation.measure,
      multipleChoice: validation.percent,
      directAnswer: validation.percent,
    }),
    ...(test && { testMultipleChoice: test.percent, testDirectAnswer: test.percent }),
  };
}

/** The questions of a set; those of the loop with their question types, from the teacher where the file has none. */
async function readTypedQuestions(context: StepContext, set: EvaluationSet): Promise<BenchmarkQuestion[]> {
  const questions = await readEvaluationSet(set, extractedImagesFolder(context.run));
  if (set.name !== 'validation' && set.name !== 'test') return questions;
  const loopQuestions = questions as LoopQuestion[];
  const types = await questionTypesOf(context, loopQuestions);
  return loopQuestions.map((question) => ({ ...question, question_type: types.get(question.question_id) }));
}

function typeOf(question: BenchmarkQuestion & { question_type?: string }): string | null {
  return question.question_type ?? null;
}

/** How a server found the choices of a set. @throws InputError when two shards differ */
async function rankingOf(
  context: StepContext,
  set: EvaluationSet,
  questions: readonly BenchmarkQuestion[],
): Promise<Pick<Scores, 'ranking'>> {
  if (context.config.evaluate.engine !== 'endpoint') return {};
  // Where words are all that is asked for, no choice was found.
  if (askQuestions(set, questions).every(({ answers }) => answers.length === 0)) return {};
  const found = new Set<Ranking>();
  for (const folder of shardFolders(context, set)) found.add(await readRanking(folder));
  const [ranking] = found;
  if (found.size === 1 && ranking !== undefined) return { ranking };
  throw new InputError({
    file: 'config',
    field: 'evaluate.serve',
    problem: `the servers of this name rank the shards of ${set.name} in different ways`,
    remedy: 'Give all GPU workers the same server',
  });
}

/** What finds the choices in written answers; empty where no answers are written. */
function extractionOf(context: StepContext, sets: readonly EvaluationSet[]) {
  const looksForChoices = ({ benchmark, answerMode }: EvaluationSet) =>
    answerMode === 'generated' && benchmarkOf(benchmark).writtenChoices !== undefined;
  if (!sets.some(looksForChoices)) return {};
  return { extraction: extractorOf(context) };
}

/** Sorted so that questions about one image are neighbors: a shard computes it once. MMBench's rotations are far apart. */
function byImage(asked: readonly EvaluationQuestion[]): EvaluationQuestion[] {
  const firstAt = new Map<string | undefined, number>();
  for (const [index, { image }] of asked.entries()) if (!firstAt.has(image)) firstAt.set(image, index);
  const placeOf = ({ image }: EvaluationQuestion) => firstAt.get(image) as number;
  return asked.toSorted((left, right) => placeOf(left) - placeOf(right));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
