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
import { adapterFile, type FinetuneOutcome, finetuneFiles, validationScoresFile } from './results.ts';
import { mixtureFiles, roundMixture } from './round-mixture.ts';
import { validationQuestions, validationQuestionsFile } from './validation-questions.ts';

/**
 * Finetunes LoRA adapters on the base model with the round's mixture: the base data, its own and that of the rounds it
 * is built upon. Each round starts from the base model, as in the reference system, or with `finetune.startFrom:
 * previous` from the adapter of the last good round. An interrupted attempt resumes from its newest checkpoint.
 */
export async function finetune(context: StepContext): Promise<FinetuneOutcome> {
  const { config, run, round } = context;
  const {
    epochs,
    stepsPerEpoch,
    checkpointEverySteps,
    generatedSampleRatios: _,
    startFrom,
    keep,
    ...given
  } = config.finetune;
  const { batchSize } = given;
  const steps = epochs * stepsPerEpoch;
  const directory = stepDirectory(run, round, 'finetune');
  const lineage = await lineageBefore(context, round);
  const mixture = await roundMixture(context);
  const settings = { ...given, microBatchSize: given.microBatchSize ?? batchSize, steps, seed: config.seed };
  const lastGood = lineage.at(-1);
  const previous =
    startFrom === 'previous' && lastGood !== undefined
      ? await finishedStep(run, lastGood, 'finetune', { weights: true })
      : undefined;
  const validation = keep === 'best-validation' ? await validationQuestions(context) : undefined;
  let samples = 0;
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
      settings,
      start: previous?.manifest.outputs[adapterFile],
      validation: validation && {
        questions: hashValue(validation.map(({ image, ...rest }) => rest)),
        everySteps: stepsPerEpoch,
      },
    },
    prepare: async (): Promise<FinetuneJob> => {
      samples = await mixture.write(directory);
      const questions = validationQuestionsFile(directory);
      if (validation) await writeJsonLines(questions, validation);
      return {
        kind: 'finetune',
        model: config.model.path,
        ...mixtureFiles(directory),
        output: directory,
        startAdapter: previous?.directory,
        ...settings,
        checkpointEverySteps,
        validation: validation && { questions, everySteps: stepsPerEpoch, batchSize: config.evaluate.batchSize },
      };
    },
    finish: async ({ metrics }) => ({
      outputs: validation ? [...finetuneFiles, validationScoresFile] : finetuneFiles,
      metrics: { ...metrics, samples, steps },
    }),
  });
  const { metrics } = done.manifest;
  return { ...outcomeOf(done), samples: metrics.samples ?? 0, steps, loss: metrics.loss };
}
