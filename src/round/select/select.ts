/**
 * The step `select`, the student in the loop: the model that a round builds upon answers the round's new samples. Those of the
 * wanted difficulty are kept (`sampling.difficulty`), and its wrong choices become preference pairs (`finetune.objective`).
 */
import { join } from 'node:path';
import { evaluationNumberFormats } from '../../config/evaluate-schema.ts';
import { type Difficulty, difficultyOf } from '../../config/sample-schemas.ts';
import { InputError } from '../../core/input-error.ts';
import type { StepResult } from '../../core/manifest.ts';
import { countBy } from '../../core/records.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import { type EngineSample, readEngineData } from '../../datasets/engine-data.ts';
import { rankedQuestion } from '../../datasets/question-text.ts';
import { probabilityOfRight, rejectedByDifficulty } from '../../generation/difficulty-window.ts';
import type { EvaluationQuestion } from '../../trainer/job-files.ts';
import { runTrainerStep } from '../../trainer/supervisor/trainer-step.ts';
import { engineDataFile } from '../append/generated-data.ts';
import { poolFolder } from '../dataset-paths.ts';
import { finishedStep, requireRoundOf } from '../finished-step.ts';
import { lastGoodRound } from '../gate/lineage.ts';
import { mergedModel, wholeMergedModel } from '../merge/whole-model.ts';
import { rejectedByReasonFile, rejectedFile } from '../refine/results.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { choiceLossesFile, difficultyFile, readChoiceLosses, type SelectOutcome, selects } from './results.ts';

/** Must be raised whenever the same samples and model lead to another choice. */
const selectVersion = 1;

const questionsFile = 'questions.jsonl';

/**
 * Has the trainer rank the choices of each refined sample, as it ranks those of the validation questions. An interrupted attempt
 * resumes from the answers that it has. Without a wanted difficulty all samples are kept, as `refine` wrote them.
 *
 * @throws InputError for a config that does not ask for it, and where `refine` or the last good round's `merge` has not finished
 */
export async function select(context: StepContext): Promise<SelectOutcome> {
  const { config, run, round } = context;
  requireRoundOf('select', round);
  const difficulty = difficultyOf(config.sampling);
  if (!selects(config)) throw notAskedFor(run.root);
  const refined = await finishedStep(run, round, 'refine');
  const builtOn = { ...context, round: await lastGoodRound(context, round) };
  const merged = await mergedModel(builtOn);
  const name = engineDataFile(round);
  const samples = await readEngineData(join(refined.directory, name));
  const directory = stepDirectory(run, round, 'select');
  const { batchSize } = config.evaluate;
  const formats = evaluationNumberFormats(config);
  const done = await runTrainerStep({
    context,
    directory,
    step: 'select',
    inputs: {
      version: selectVersion,
      model: merged.manifest.outputs,
      samples: refined.manifest.outputs[name],
      ...(difficulty && { window: { from: difficulty.from, to: difficulty.to }, most: config.sampling.requests }),
      ...formats,
      seed: config.seed,
      round,
    },
    prepare: async () => {
      await wholeMergedModel(builtOn);
      const questions = join(directory, questionsFile);
      await writeJsonLines(questions, await askedSamples(context, samples));
      const output = join(directory, choiceLossesFile);
      return { kind: 'evaluate', model: merged.directory, questions, batchSize, ...formats, output };
    },
    finish: async () => {
      if (difficulty) return chooseSamples(context, { directory, samples, difficulty });
      return { outputs: [choiceLossesFile], metrics: { accepted: samples.length, rejected: 0 } };
    },
  });
  const { accepted = 0, rejected = 0, tooEasy = 0, tooHard = 0, spare = 0 } = done.manifest.metrics;
  return { ...outcomeOf(done), accepted, rejected, tooEasy, tooHard, spare };
}

/** The samples as the model is asked about them: as questions of an evaluation are. */
function askedSamples({ config }: StepContext, samples: readonly EngineSample[]): Promise<EvaluationQuestion[]> {
  const pool = poolFolder(config);
  return Promise.all(
    samples.map(async ({ question, choices, image_id: imageId }, index) => ({
      question_id: String(index),
      image: await pool.fileOf(imageId),
      ...rankedQuestion(question, choices),
    })),
  );
}

async function chooseSamples(
  { config, round }: StepContext,
  input: { directory: string; samples: readonly EngineSample[]; difficulty: Difficulty },
): Promise<StepResult> {
  const { directory, samples, difficulty } = input;
  const losses = await readChoiceLosses(directory, samples.length);
  const probabilities = samples.map(({ correct_choice_idx: correct = -1 }, index) =>
    probabilityOfRight(losses[index] as number[], correct),
  );
  const rejections = rejectedByDifficulty(probabilities, {
    window: difficulty,
    most: config.sampling.requests,
    seed: `${config.seed}/round-${round}`,
  });
  const kept = samples.filter((_, index) => rejections[index] === undefined);
  const rejected = samples.flatMap(({ image_id, raw_instructions: raw }, index) => {
    const rejection = rejections[index];
    return rejection === undefined ? [] : [{ image_id, ...rejection, raw }];
  });
  const countsByReason = countBy(rejected, ({ reason }) => reason);
  await writeJsonLines(
    join(directory, difficultyFile),
    samples.map(({ image_id, question_type, question }, index) => {
      const probability = Number((probabilities[index] as number).toFixed(6));
      return { image_id, question_type, question, probability, rejected: rejections[index]?.reason };
    }),
  );
  await writeJson(join(directory, engineDataFile(round)), kept);
  await writeJsonLines(join(directory, rejectedFile), rejected);
  await writeJson(join(directory, rejectedByReasonFile), countsByReason);
  return {
    outputs: [engineDataFile(round), difficultyFile, rejectedFile, rejectedByReasonFile, choiceLossesFile],
    metrics: {
      accepted: kept.length,
      rejected: rejected.length,
      tooEasy: countsByReason.too_easy ?? 0,
      tooHard: countsByReason.too_hard ?? 0,
      spare: countsByReason.more_than_requested ?? 0,
    },
  };
}

function notAskedFor(root: string): InputError {
  return new InputError({
    file: join(root, 'config.json'),
    field: 'sampling.strategy',
    problem: 'is not difficulty-window, and finetune.objective is sft',
    remedy: 'Leave the step out: refine and append are all that a round takes then',
  });
}
