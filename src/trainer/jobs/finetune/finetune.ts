/** The finetune job: LoRA adapters on a mixture of samples, resumable at any checkpoint. */
import path from 'node:path';
import { InputError } from '../../../core/input-error.ts';
import { familyOf } from '../../../model/families/index.ts';
import { type ModelDirectory, readModelDirectory } from '../../../model/files/model-directory.ts';
import { useComputeDtype } from '../../../model/ops/tensorflow.ts';
import { loadTokenizer } from '../../../model/text/tokenizer.ts';
import type { ValidationLossRecord } from '../../job-files.ts';
import type { FinetuneJob, JobOutcome, SettingsOf } from '../../protocol.ts';
import type { JobReporter } from '../../trainer-side.ts';
import { collate, tokenWeights } from '../batch.ts';
import { imagesFor } from '../conversation.ts';
import { promptSettings } from '../sequence.ts';
import type { ShownImages } from '../vision/fresh-images.ts';
import { readStartAdapter, saveAdapter } from './adapter-files.ts';
import { readNewestCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { type BatchPart, type FinetuneProgram, finetuneProgram } from './finetune-program.ts';
import { type ImageSources, imageSources } from './image-sources.ts';
import { hashOfJob } from './job-hash.ts';
import { trainedShapes } from './lora.ts';
import { LOSS_FILE, type LossRecord, openLossLog, VALIDATION_LOSS_FILE } from './loss-log.ts';
import { learningRateAt } from './optimizer.ts';
import { type PairFigures, type Pairs, preparePairs, type Reference } from './pairs.ts';
import { planSteps, type StepPart } from './plan.ts';
import { referenceOf } from './reference.ts';
import { prepareValidation, type Validated, type Validation, withScore, writeScores } from './validation.ts';
import { prepareValidationLoss, stopsEarly, type ValidationLoss, withLoss } from './validation-loss.ts';

type FinetuneSettings = SettingsOf<FinetuneJob>;

/** So many steps at the end have their rewards in the job's metrics, as a mean. */
const LAST_STEPS = 50;

/**
 * Trains, and writes the adapter in PEFT's format.
 *
 * A job started again on the same output resumes from its newest checkpoint, and its loss curve is that of
 * an uninterrupted one: batches, dropout and learning rate depend on the step and the seed alone.
 *
 * @throws InputError for samples, images or a model that can't be used, naming file and field
 */
export async function finetune(settings: FinetuneSettings, reporter: JobReporter): Promise<JobOutcome> {
  const productType = useComputeDtype(settings.computeDtype);
  const model = await readModelDirectory(settings.model);
  try {
    // An unknown target or an unsuitable start is reported before the images are computed.
    const shapesOfTrained = trainedShapes(model.config, settings);
    const { lora, preference } = settings;
    const adapterIn = async (directory: string | undefined, alternative?: string) => {
      const { publishedName } = familyOf(model.config);
      if (directory === undefined) return undefined;
      return readStartAdapter(directory, lora, shapesOfTrained, publishedName, alternative);
    };
    const start = await adapterIn(settings.startAdapter);
    const referenceAdapter = await adapterIn(
      preference?.referenceAdapter,
      'set finetune.preference.reference: adapterOff',
    );
    const tokenizer = await loadTokenizer(settings.model);
    const prompts = promptSettings(model, tokenizer, reporter.note, settings.family?.promptForm);
    const trainsOnSamples = preference?.sftWeight !== 0;
    const plan = trainsOnSamples ? await planSteps(prompts, settings, reporter.note) : [];
    const pairs = await preparePairs(prompts, settings, reporter);
    const validation = await prepareValidation(model, prompts, settings, reporter);
    const validationLoss = await prepareValidationLoss(prompts, settings, reporter);
    const shown = plan.flatMap((parts) => parts.flatMap(({ images }) => images.flat().flatMap((file) => file ?? [])));
    const notAugmented = [...(pairs?.images ?? []), ...(validation?.images ?? []), ...(validationLoss?.images ?? [])];
    const files = { samples: shown, others: notAugmented };
    const images = await imageSources(model, settings, files, reporter);
    const shapes = plan.flatMap((parts) => parts.map(({ shape }) => shape));
    try {
      const program = await finetuneProgram(model, settings.lora, shapes, {
        ...settings,
        rateFactors: settings.learningRate.byPart,
        start,
        parts: (trainsOnSamples ? settings.batchSize / settings.microBatchSize : 0) + (pairs?.parts ?? 0),
        pairs: pairs && { ...pairs.settings, shapes: pairs.shapes },
        productType,
        ranked: validation?.ranked,
        lossShapes: validationLoss?.shapes,
      });
      try {
        return await train({
          settings,
          model,
          plan,
          ...images,
          program,
          pairs,
          referenceAdapter,
          validation,
          validationLoss,
          reporter,
        });
      } finally {
        program.dispose();
      }
    } finally {
      images.dispose();
    }
  } finally {
    await model.close();
  }
}

interface Training extends Pick<ImageSources, 'features' | 'fresh'> {
  settings: FinetuneSettings;
  model: ModelDirectory;
  plan: StepPart[][];
  program: FinetuneProgram;
  pairs: Pairs | undefined;
  /** Tensors of the adapter that pairs are compared with by name. Default: the base model. */
  referenceAdapter: ReadonlyMap<string, Float32Array> | undefined;
  validation: Validation | undefined;
  validationLoss: ValidationLoss | undefined;
  reporter: JobReporter;
}

async function train(training: Training): Promise<JobOutcome> {
  const { settings, model, features, program, pairs, validation, validationLoss, reporter } = training;
  const { output, steps } = settings;
  const checkpoints = path.join(output, 'checkpoints');
  const jobHash = await hashOfJob(settings, model.weightsHash);
  const resumed = await readNewestCheckpoint(checkpoints, jobHash, reporter.note);
  const reference = pairs && (await referenceOf(pairs, { ...training, checkpoints, jobHash }));
  if (resumed) program.write(resumed.arrays);
  const first = resumed?.step ?? 0;
  if (resumed) reporter.note(`resumed at step ${first}`);
  let validated: Validated = resumed?.validated ?? { scores: [], losses: [] };

  reporter.requireFence();
  const log = await openLossLog(output, resumed?.curve ?? []);
  const checkpoint = async (step: number) => {
    await log.flush();
    reporter.requireFence();
    const { curve } = log;
    const uri = await writeCheckpoint(checkpoints, jobHash, { step, arrays: program.read(), validated, curve });
    reporter.checkpoint({ step, uri });
  };
  const validate = async (step: number) => {
    const read = () => program.read().parameters;
    if (validation?.isDue(step, validated)) {
      validated = withScore(validated, { step, score: await validation.score(program, features), read });
    }
    if (validationLoss?.isDue(step, validated)) {
      const { keepsBest } = validationLoss.settings;
      validated = withLoss(validated, { step, loss: await validationLoss.compute(program, features), keepsBest, read });
      await log.writeValidation(validated.losses);
    }
  };
  /** Looks at the state after so many steps. Returns whether it is the last. */
  const isOver = async (step: number) => {
    try {
      await validate(step);
    } catch (error) {
      if (reporter.signal.aborted && step < steps) await checkpoint(step);
      throw error;
    }
    return step === steps || (validationLoss !== undefined && stopsEarly(validated.losses, validationLoss.settings));
  };
  const started = performance.now();
  let tokens = 0;
  let loss = Number.NaN;
  let step = first;
  try {
    for (; !(await isOver(step)); step++) {
      const learningRate = learningRateAt(step, steps, settings.learningRate);
      const parts = training.plan[step] ?? [];
      const { loss: lossOfStep, ...figures } = await trainStep(training, { step, learningRate, reference });
      loss = lossOfStep;
      if (!Number.isFinite(loss)) throw divergence(settings, step, loss);
      tokens += parts.reduce((sum, { shape }) => sum + shape.batch * shape.tokens, pairs?.tokens(step) ?? 0);
      reporter.requireFence();
      log.write({ step: step + 1, loss, learningRate, gradientNorm: program.gradientNorm(), ...figures });

      const seconds = (performance.now() - started) / 1000;
      reporter.progress({
        step: step + 1,
        steps,
        loss,
        learningRate,
        tokensPerSecond: tokens / seconds,
        etaSeconds: (seconds / (step + 1 - first)) * (steps - step - 1),
      });
      // TensorFlow blocks the event loop; signals and the parent's end are only noticed between steps.
      await new Promise(setImmediate);
      // Aborted after the last step: all that is left is to write the adapter.
      if (step + 1 === steps) continue;
      if ((step + 1) % settings.checkpointEverySteps === 0 || reporter.signal.aborted) await checkpoint(step + 1);
      reporter.signal.throwIfAborted();
    }
    if (validationLoss) await log.writeValidation(validated.losses);
  } finally {
    await log.close();
  }
  reporter.requireFence();
  const parameters = validated.best?.parameters ?? program.read().parameters;
  const files = await saveAdapter(output, { ...settings, config: model.config }, program.layout, parameters);
  if (step < steps) reporter.note(`stopped after step ${step} of ${steps}: the validation loss did not improve`);
  const { best } = validated;
  return {
    outputs: [
      ...files,
      LOSS_FILE,
      ...(validation ? [await writeScores(output, validated)] : []),
      ...(validationLoss ? [VALIDATION_LOSS_FILE] : []),
    ],
    metrics: {
      loss,
      steps: step,
      resumedAtStep: first,
      ...(pairs && pairMetrics(log.curve)),
      ...(validation && { keptStep: best?.step ?? step, validationScore: best?.score ?? 0 }),
      ...(validationLoss && lossMetrics(validationLoss, validated, step)),
    },
  };
}

function lossMetrics({ settings }: ValidationLoss, { losses, best }: Validated, step: number): Record<string, number> {
  const lowest = Math.min(...losses.map(({ loss }) => loss));
  if (!settings.keepsBest) return { validationLoss: (losses.at(-1) as ValidationLossRecord).loss };
  return { keptStep: best?.step ?? step, validationLoss: lowest };
}

/** Mean rewards of the last steps. */
function pairMetrics(curve: readonly LossRecord[]): Record<string, number> {
  const last = curve.slice(-LAST_STEPS);
  const mean = (key: 'rewardMargin' | 'rewardAccuracy') =>
    last.reduce((sum, record) => sum + (record[key] ?? 0), 0) / last.length;
  return { rewardMargin: mean('rewardMargin'), rewardAccuracy: mean('rewardAccuracy') };
}

/** Trains on the batch of a step, and on its pairs. Returns their loss, and that of each where there are pairs. */
async function trainStep(
  training: Training,
  { step, learningRate, reference }: { step: number; learningRate: number; reference: Reference | undefined },
): Promise<Pick<LossRecord, 'loss' | 'sftLoss'> & Partial<PairFigures>> {
  const { settings, model, plan, program, features, pairs } = training;
  const parts = plan[step] ?? [];
  const queries = familyOf(model.config).imageTokens;
  const ofTokens = tokenWeights(
    parts.flatMap(({ sequences }) => sequences),
    settings.groupSize,
  );
  const { sftWeight = 1 } = pairs?.settings ?? {};
  const weights = ofTokens.map((weight) => weight * sftWeight);
  const batchPart = async ({ sequences, shape }: StepPart, part: number): Promise<BatchPart> => ({
    shape,
    batch: collate(sequences, shape, queries, weights.slice(part * sequences.length)),
    images: await imagesOf(training, step * parts.length + part),
  });
  const [whole] = parts;
  if (whole && parts.length === 1 && !pairs) {
    return { loss: program.step({ ...(await batchPart(whole, 0)), step, learningRate }) };
  }
  let loss = 0;
  for (const [part, content] of parts.entries()) {
    loss += program.accumulate({ ...(await batchPart(content, part)), step, part });
    // Between parts too, as between steps: a step of many parts is long.
    await new Promise(setImmediate);
  }
  const figures =
    reference && (await pairs?.accumulate(program, { features, reference, step, firstPart: parts.length }));
  program.update({ step, learningRate });
  if (!figures) return { loss };
  return { loss: loss + figures.preferenceLoss, ...(sftWeight > 0 && { sftLoss: loss / sftWeight }), ...figures };
}

/** What is entered for the images of a part of a batch, by its number in the whole training. */
async function imagesOf({ settings, plan, features, fresh }: Training, number: number): Promise<Float32Array> {
  const { seed, batchSize, microBatchSize } = settings;
  const shownAt = (place: number): ShownImages | undefined => {
    const parts = batchSize / microBatchSize;
    const part = plan[Math.floor(place / parts)]?.[place % parts];
    if (part === undefined) return undefined;
    const files = imagesFor(part.images, part.shape);
    if (settings.augmentation !== 'random-resized-crop') return { files };
    const seeds = part.images.flatMap((files, slot) =>
      files.map((_, index) => cropSeed(`${seed}/augmentation/${place * microBatchSize + slot}`, index)),
    );
    return { files, seeds };
  };
  const shown = shownAt(number) as ShownImages;
  return fresh ? fresh.enter(shown, shownAt(number + 1)) : features.batch(shown.files);
}

/** Of the images of a sample each is cropped in its own way. */
const cropSeed = (seed: string, index: number) => (index === 0 ? seed : `${seed}/${index}`);

function divergence(settings: FinetuneSettings, step: number, loss: number): InputError {
  return new InputError({
    file: settings.samples,
    field: 'finetune.learningRate',
    problem: `the loss is ${loss} at step ${step + 1}: training diverged`,
    remedy: 'Lower finetune.learningRate.peak',
  });
}
