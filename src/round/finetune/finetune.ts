import { epochSteps, stepsOf } from '../../config/finetune-schema.ts';
import { hashValue } from '../../core/hash.ts';
import { writeJsonLines } from '../../core/write-file.ts';
import { trainRecordsVersion } from '../../datasets/train-dataset.ts';
import type { FinetuneJob } from '../../trainer/protocol.ts';
import { runTrainerStep } from '../../trainer/supervisor/trainer-step.ts';
import { baseModelHash } from '../base-model.ts';
import { finishedStep } from '../finished-step.ts';
import { lineageBefore } from '../gate/lineage.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { nameBaseModel } from './base-model-name.ts';
import { givenAdapter, takeAdapter } from './given-adapter.ts';
import {
  adapterFile,
  type FinetuneOutcome,
  finetuneFiles,
  validationLossFile,
  validationScoresFile,
} from './results.ts';
import { mixtureFiles, roundMixture, validationSamplesFile } from './round-mixture.ts';
import { roundPreference } from './round-preference.ts';
import { learningRateOf } from './settings.ts';
import { validationQuestions, validationQuestionsFile } from './validation-questions.ts';

/**
 * Finetunes LoRA adapters on the base model with the round's mixture: the base data, its own and that of the rounds it
 * is built upon. Each round starts from the base model, as in the reference system, or with `finetune.startFrom:
 * previous` from the adapter of the last good round. An interrupted attempt resumes from its newest checkpoint. Round 0
 * trains nothing where `finetune.round0Adapter` names an adapter. With another `finetune.objective` than sft it learns from preference
 * pairs too, or from them alone.
 */
export async function finetune(context: StepContext): Promise<FinetuneOutcome> {
  const { config, run, round } = context;
  const given = givenAdapter(config, round);
  if (given !== undefined) return takeAdapter(context, given);
  const {
    epochs,
    stepsPerEpoch,
    checkpointEverySteps,
    imageWorkers,
    imageCacheGigabytes,
    generatedSampleRatios: _,
    startFrom,
    keep,
    validationLoss,
    round0Adapter: _0,
    objective: _1,
    preference: _2,
    ...others
  } = config.finetune;
  const { batchSize } = others;
  const directory = stepDirectory(run, round, 'finetune');
  const lineage = await lineageBefore(context, round);
  const mixture = await roundMixture(context);
  const shared = { ...others, microBatchSize: others.microBatchSize ?? batchSize, seed: config.seed };
  /** Of so many samples. */
  const settingsFor = (samples: number) => {
    const steps = stepsOf(config.finetune, samples);
    return { ...shared, learningRate: learningRateOf(config.finetune, steps), steps };
  };
  const lastGood = lineage.at(-1);
  const previous =
    startFrom === 'previous' && lastGood !== undefined
      ? await finishedStep(run, lastGood, 'finetune', { weights: true })
      : undefined;
  const preference = await roundPreference(context, lineage);
  const validation = keep === 'best-validation' ? await validationQuestions(context) : undefined;
  const keepsBest = keep === 'best-validation-loss';
  let planned = { samples: 0, steps: 0 };
  const done = await runTrainerStep({
    context,
    directory,
    step: 'finetune',
    inputs: {
      model: await baseModelHash(config),
      parts: mixture.parts.map(({ name, hash, sampleRatio }) => ({ name, hash, sampleRatio })),
      recordsVersion: trainRecordsVersion,
      format: config.data.format,
      batching: config.data.batching,
      captionPrompts: config.data.captionPrompts,
      // How many samples there are follows from the parts: it takes reading them all.
      settings: stepsPerEpoch === 'auto' ? { ...shared, epochs, stepsPerEpoch } : settingsFor(0),
      start: previous?.manifest.outputs[adapterFile],
      preference: preference?.inputs,
      validationLoss: validationLoss && {
        ...validationLoss,
        dataset: mixture.validation && { name: mixture.validation.name, hash: mixture.validation.hash },
        keepsBest,
      },
      validation: validation && {
        questions: hashValue(validation.map(({ image, ...rest }) => rest)),
        everySteps: stepsPerEpoch,
      },
    },
    prepare: async (): Promise<FinetuneJob> => {
      const samples = await mixture.write(directory);
      const questions = validationQuestionsFile(directory);
      if (validation) await writeJsonLines(questions, validation);
      const settings = settingsFor(samples);
      planned = { samples, steps: settings.steps };
      const everySteps = epochSteps(config.finetune, samples);
      return {
        kind: 'finetune',
        model: config.model.path,
        ...mixtureFiles(directory),
        output: directory,
        startAdapter: previous?.directory,
        ...settings,
        preference: await preference?.write(directory, settings.steps),
        checkpointEverySteps,
        imageWorkers,
        imageCacheGigabytes,
        validationLoss: validationLoss && {
          samples: validationSamplesFile(directory),
          everySteps: validationLoss.everySteps ?? everySteps,
          stopAfter: validationLoss.stopAfter,
          minimumChange: validationLoss.minimumChange,
          keepsBest,
        },
        validation: validation && { questions, everySteps, batchSize: config.evaluate.batchSize },
      };
    },
    finish: async ({ metrics }) => {
      await nameBaseModel(directory, config);
      return {
        outputs: [
          ...finetuneFiles,
          ...(validation ? [validationScoresFile] : []),
          ...(validationLoss ? [validationLossFile] : []),
        ],
        metrics: { ...planned, ...metrics },
      };
    },
  });
  const { metrics } = done.manifest;
  const { samples = 0, steps = 0, loss } = metrics;
  return { ...outcomeOf(done), samples, steps, loss };
}
