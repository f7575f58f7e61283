/**
 * The step `check-serving`: one model, one answer. Questions go to base and adapter, to the merged model as it is scored, and to
 * the merged model as it is served; where they don't give one answer, the round stops.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { evaluationNumberFormats } from '../../config/evaluate-schema.ts';
import { fileExists } from '../../core/files.ts';
import { InputError } from '../../core/input-error.ts';
import { runStepOnce, type StepResult } from '../../core/manifest.ts';
import { readJsonLines, readSettings } from '../../core/read-json.ts';
import { seededRandom } from '../../core/seeded-random.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import {
  type Answers,
  type Comparison,
  compareAnswers,
  type GateAnswer,
  tolerances,
} from '../../serving/gate/compare-answers.ts';
import type { EvaluationQuestion } from '../../trainer/job-files.ts';
import { inputsOfTrainer } from '../../trainer/supervisor/trainer-step.ts';
import { baseModelHash } from '../base-model.ts';
import {
  askQuestions,
  extractedImagesFolder,
  hashAsked,
  readEvaluationSet,
  requireEvaluationSet,
} from '../evaluation-sets.ts';
import { finishedStep } from '../finished-step.ts';
import { mergedModel, wholeMergedModel } from '../merge/whole-model.ts';
import { requireServeCommand } from '../serve.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { type Asking, askBaseAndAdapter, askMerged, askServed } from './ask.ts';
import { type CheckServingOutcome, servingComparisonFile } from './results.ts';

/** Must be raised whenever the same models lead to other answers or comparisons. */
const checkVersion = 1;

/** In the order in which they are asked; each is compared with the first. */
const ways = [
  { name: 'base + adapter', file: 'base-and-adapter.jsonl', ask: askBaseAndAdapter },
  { name: 'the merged model', file: 'merged.jsonl', ask: askMerged },
  { name: 'the served model', file: 'served.jsonl', ask: askServed },
] as const;

/**
 * Asks and compares. Answers of an interrupted attempt are not asked for again.
 *
 * @throws InputError with the first difference, and for a config that does not ask for the step
 */
export async function checkServing(context: StepContext): Promise<CheckServingOutcome> {
  const { config, run, round } = context;
  const settings = config.gate.serving;
  const { serve } = config.evaluate;
  if (settings === undefined) throw notAskedFor(run.root);
  const adapter = await finishedStep(run, round, 'finetune', { weights: true });
  const merged = await mergedModel(context);
  const directory = stepDirectory(run, round, 'check-serving');
  const formats = evaluationNumberFormats(config);
  const isExact = formats.computeDtype === 'float32' && formats.weightDtype === 'float32';
  const tolerance = isExact && !(await isRounded(merged.directory)) ? tolerances.float32 : tolerances.bfloat16;
  const questions = await questionsToAsk(context, settings);
  const asking: Asking = { context, directory, adapter: adapter.directory, merged: merged.directory, questions };
  const done = await runStepOnce({
    directory,
    step: 'check-serving',
    inputs: {
      version: checkVersion,
      model: await baseModelHash(config),
      adapter: adapter.manifest.outputs,
      merged: merged.manifest.outputs,
      asked: hashAsked(questions),
      tolerance,
      formats,
      serve: serve && {
        name: serve,
        command: (await requireServeCommand(context, { name: serve, field: 'evaluate.serve' })).command,
      },
      ...inputsOfTrainer(config, config.trainer),
    },
    work: async () => {
      await wholeMergedModel(context);
      const [first, ...others] = ways;
      const trained = await answersOf(first, asking);
      const comparisons: Comparison[] = [];
      for (const way of others) {
        const comparison = compareAnswers(trained, await answersOf(way, asking), tolerance);
        comparisons.push(comparison);
        if (comparison.difference !== undefined) break;
      }
      return concluded(directory, comparisons, tolerance);
    },
  });
  const { questions: count = 0, nearTies = 0, largestLossDifference } = done.manifest.metrics;
  return {
    ...outcomeOf(done),
    questions: count,
    nearTies,
    ...(largestLossDifference !== undefined && { largestLossDifference }),
  };
}

/** Whether merging rounded the weights to a type that is narrower than what base + adapter are computed in. */
async function isRounded(merged: string): Promise<boolean> {
  const { torch_dtype, dtype = torch_dtype } = await readSettings(join(merged, 'config.json'), configSchema);
  return dtype !== undefined && dtype !== 'float32';
}

const configSchema = z.looseObject({ dtype: z.string().optional(), torch_dtype: z.string().optional() });

/** A part of the validation questions, drawn at random. */
async function questionsToAsk(
  { config, run }: StepContext,
  { questions: count, maximumTokens }: NonNullable<StepContext['config']['gate']['serving']>,
): Promise<EvaluationQuestion[]> {
  const set = requireEvaluationSet(config, run, 'validation');
  const all = askQuestions(set, await readEvaluationSet(set, extractedImagesFolder(run)));
  const drawn = seededRandom(`${config.seed}/check-serving`).shuffle(all).slice(0, count);
  // The loss is on the whole answer: where a prompt ends is then alike for everyone who is asked.
  return drawn.map((question) => ({
    ...question,
    answerStart: '',
    generate: { question: question.question, maximumNewTokens: maximumTokens },
  }));
}

/** Answers that an interrupted attempt has left, or new ones. */
async function answersOf({ name, file, ask }: (typeof ways)[number], asking: Asking): Promise<Answers> {
  const path = join(asking.directory, file);
  if (await fileExists(path)) return { name, answers: await readJsonLines(path, gateAnswerSchema) };
  const answers = await ask(asking);
  await writeJsonLines(path, answers);
  return { name, answers };
}

/** Writes the comparisons. @throws InputError with the first difference */
async function concluded(
  directory: string,
  comparisons: readonly Comparison[],
  tolerance: number,
): Promise<StepResult> {
  const file = join(directory, servingComparisonFile);
  await writeJson(file, { tolerance, comparisons });
  const different = comparisons.find(({ difference }) => difference !== undefined)?.difference;
  if (different !== undefined) {
    // What is served may be mended without a change of any input: all are asked again.
    for (const { file } of ways) await rm(join(directory, file), { force: true });
    throw new InputError({
      file,
      field: different.question,
      problem: different.problem,
      remedy:
        'Compare the files that the two are run from: chat template, processor, end tokens, weights. Then resume; without gate.serving the run goes on as it is',
    });
  }
  const nearTies = comparisons.reduce((most, one) => Math.max(most, one.nearTies), 0);
  const losses = comparisons.map(({ largestLossDifference }) => largestLossDifference);
  return {
    outputs: [servingComparisonFile, ...ways.map((way) => way.file)],
    metrics: {
      questions: comparisons[0]?.questions ?? 0,
      nearTies,
      ...(losses.every((loss) => loss !== undefined) && { largestLossDifference: Math.max(...losses) }),
    },
  };
}

const candidateSchema = z.object({ id: z.number(), text: z.string(), logprob: z.number() });
const gateAnswerSchema: z.ZodType<GateAnswer> = z.object({
  id: z.string(),
  losses: z.array(z.number()).optional(),
  text: z.string(),
  tokens: z.array(z.object({ text: z.string(), top: z.array(candidateSchema) })).optional(),
});

function notAskedFor(root: string): InputError {
  return new InputError({
    file: join(root, 'config.json'),
    field: 'gate.serving',
    problem: 'is not set',
    remedy: 'Set it to {} to have 200 questions put to base and adapter, merged and served model',
  });
}
