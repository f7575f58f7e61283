/** The finetune job: LoRA adapters on a mixture of samples, resumable at any checkpoint. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { hashFile, hashValue } from '../../../core/hash.ts';
import { InputError } from '../../../core/input-error.ts';
import { readJson, readJsonLines } from '../../../core/read-json.ts';
import { type TrainingSample, trainingSampleSchema } from '../../../datasets/train-dataset.ts';
import { familyOf } from '../../../model/families/index.ts';
import { questionTurn } from '../../../model/families/prompt-form.ts';
import { type ModelDirectory, readModelDirectory } from '../../../model/files/model-directory.ts';
import { useComputeDtype } from '../../../model/ops/tensorflow.ts';
import { loadTokenizer } from '../../../model/text/tokenizer.ts';
import type { FinetuneJob, JobOutcome, SettingsOf } from '../../protocol.ts';
import type { JobReporter } from '../../trainer-side.ts';
import { type BatchShape, batchShape, collate, learnedTokens } from '../batch.ts';
import { promptSettings, type Sequence, type SequenceSettings, trainingSequence } from '../sequence.ts';
import { imageFeatures } from '../vision/image-features.ts';
import { readStartAdapter, saveAdapter } from './adapter-files.ts';
import { padToFewShapes } from './batch-shapes.ts';
import { readNewestCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { type BatchPart, type FinetuneProgram, finetuneProgram } from './finetune-program.ts';
import { adaptedModules, loraShapes } from './lora.ts';
import { openLossLog } from './loss-log.ts';
import { learningRateAt } from './optimizer.ts';

type FinetuneSettings = SettingsOf<FinetuneJob>;

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
    const modules = adaptedModules(model.config, settings.lora.targetModules);
    const start = settings.startAdapter
      ? await readStartAdapter(
          settings.startAdapter,
          settings.lora,
          loraShapes(modules, settings.lora.rank),
          familyOf(model.config).publishedName,
        )
      : undefined;
    const plan = await planSteps(model, settings);
    const features = await imageFeatures(
      model,
      plan.flatMap((parts) => parts.flatMap(({ samples }) => samples.flatMap(({ image }) => image ?? []))),
      {
        signal: reporter.signal,
        onProgress: (done, total) => reporter.progress({ phase: 'images', step: done, steps: total }),
      },
    );
    const shapes = plan.flatMap((parts) => parts.map(({ shape }) => shape));
    try {
      const program = await finetuneProgram(model, settings.lora, shapes, {
        ...settings,
        start,
        parts: settings.batchSize / settings.microBatchSize,
        productType,
      });
      try {
        return await train({ settings, model, plan, features, program, reporter });
      } finally {
        program.dispose();
      }
    } finally {
      features.dispose();
    }
  } finally {
    await model.close();
  }
}

/** What of a step is computed at once. */
interface StepPart {
  samples: TrainingSample[];
  sequences: Sequence[];
  shape: BatchShape;
}

/** Every step's parts, tokenized: all shapes are known, and all errors found, before the GPU is touched. */
async function planSteps(model: ModelDirectory, settings: FinetuneSettings): Promise<StepPart[][]> {
  const { steps, batchSize, microBatchSize } = settings;
  const tokenizer = await loadTokenizer(settings.model);
  const samples = await readJsonLines(settings.samples, trainingSampleSchema);
  const order = await readJson(settings.order, z.array(z.number().int().nonnegative().lt(samples.length)));
  if (order.length < steps * batchSize) {
    throw new InputError({
      file: settings.order,
      problem: `holds ${order.length} samples, but ${steps} steps of ${batchSize} need ${steps * batchSize}`,
      remedy: 'Materialize the mixture again for this number of steps',
    });
  }
  const sequenceSettings = {
    ...promptSettings(model, tokenizer),
    maximumTokens: settings.maximumTokens,
  };
  const tokenized = await Promise.all(
    samples.map(async (sample, index): Promise<Sequence | undefined> => {
      try {
        return await sampleSequence(sample, sequenceSettings, { file: settings.samples, line: index + 1 });
      } catch (error) {
        if (error instanceof RangeError) return undefined;
        throw error;
      }
    }),
  );
  const partOf = (indices: readonly number[]): StepPart => {
    const sequences = indices.map((index) => {
      const sequence = tokenized[index];
      if (sequence) return sequence;
      throw new InputError({
        file: settings.samples,
        line: index + 1,
        field: 'prompt',
        problem: `is longer than finetune.maximumTokens (${settings.maximumTokens})`,
        remedy: 'Raise finetune.maximumTokens or drop the sample',
      });
    });
    return {
      samples: indices.map((index) => samples[index] as TrainingSample),
      sequences,
      shape: batchShape(sequences),
    };
  };
  const parts = batchSize / microBatchSize;
  const all = Array.from({ length: steps * parts }, (_, place) =>
    partOf(order.slice(place * microBatchSize, (place + 1) * microBatchSize)),
  );
  const shapes = padToFewShapes(all.map(({ shape }) => shape));
  const padded = all.map((part, place) => ({ ...part, shape: shapes[place] as BatchShape }));
  return Array.from({ length: steps }, (_, step) => padded.slice(step * parts, (step + 1) * parts));
}

async function sampleSequence(
  { image, prompt, answer }: TrainingSample,
  settings: SequenceSettings,
  place: { file: string; line: number },
): Promise<Sequence> {
  const { form } = settings;
  if (!prompt.includes(form.imageMark)) {
    return trainingSequence(questionTurn(form, prompt, { withImage: image !== undefined }), answer, settings);
  }
  throw new InputError({
    ...place,
    field: 'prompt',
    problem: `holds ${form.imageMark}, which stands for the image`,
    remedy: "Write the question alone: the trainer puts the words of the model's family around it",
  });
}

interface Training {
  settings: FinetuneSettings;
  model: ModelDirectory;
  plan: StepPart[][];
  features: Awaited<ReturnType<typeof imageFeatures>>;
  program: FinetuneProgram;
  reporter: JobReporter;
}

async function train({ settings, model, plan, features, program, reporter }: Training): Promise<JobOutcome> {
  const { output, steps } = settings;
  const checkpoints = path.join(output, 'checkpoints');
  const jobHash = await hashOfJob(settings, model.weightsHash);
  const resumed = await readNewestCheckpoint(checkpoints, jobHash, reporter.note);
  if (resumed) program.write(resumed.arrays);
  const first = resumed?.step ?? 0;
  if (resumed) reporter.note(`resumed at step ${first}`);

  const log = await openLossLog(output, first);
  const queries = familyOf(model.config).imageTokens;
  const started = performance.now();
  let tokens = 0;
  let loss = Number.NaN;
  try {
    for (let step = first; step < steps; step++) {
      const learningRate = learningRateAt(step, steps, settings.learningRate);
      const parts = plan[step] as StepPart[];
      const learned = learnedTokens(parts.flatMap(({ sequences }) => sequences));
      const batchPart = ({ samples, sequences, shape }: StepPart): BatchPart => ({
        shape,
        batch: collate(sequences, shape, queries, learned),
        images: features.batch(samples.map(({ image }) => image)),
      });
      if (parts.length === 1) {
        loss = program.step({ ...batchPart(parts[0] as StepPart), step, learningRate });
      } else {
        loss = 0;
        for (const [part, content] of parts.entries()) {
          loss += program.accumulate({ ...batchPart(content), step, part });
          // Between parts too, as below: a step of many parts is long.
          await new Promise(setImmediate);
        }
        program.update({ step, learningRate });
      }
      if (!Number.isFinite(loss)) throw divergence(settings, step, loss);
      tokens += parts.reduce((sum, { shape }) => sum + shape.batch * shape.tokens, 0);
      log.write({ step: step + 1, loss, learningRate });

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
      if (step + 1 === steps) break;
      if ((step + 1) % settings.checkpointEverySteps === 0 || reporter.signal.aborted) {
        await log.flush();
        const uri = await writeCheckpoint(checkpoints, jobHash, { step: step + 1, arrays: program.read() });
        reporter.checkpoint({ step: step + 1, uri });
      }
      reporter.signal.throwIfAborted();
    }
  } finally {
    await log.close();
  }
  const files = await saveAdapter(
    output,
    { ...settings, config: model.config },
    program.layout,
    program.read().parameters,
  );
  return { outputs: [...files, path.basename(log.file)], metrics: { loss, steps, resumedAtStep: first } };
}

/** What a checkpoint belongs to: the job without its paths. */
async function hashOfJob(settings: FinetuneSettings, weightsHash: string): Promise<string> {
  const {
    model: _model,
    family: _family,
    output: _output,
    samples,
    order,
    startAdapter,
    checkpointEverySteps: _every,
    ...rest
  } = settings;
  const [samplesHash, orderHash, startHash] = await Promise.all([
    contentHash(samples),
    hashFile(order),
    startAdapter ? hashFile(path.join(startAdapter, 'adapter_model.safetensors')) : undefined,
  ]);
  return hashValue({ ...rest, weightsHash, samplesHash, orderHash, startHash });
}

/** The samples' texts and images by name: the same data in another folder is the same job. */
async function contentHash(samples: string): Promise<string> {
  const lines = (await readFile(samples, 'utf8')).trimEnd().split('\n');
  return hashValue(
    lines.map((line) => {
      const sample = trainingSampleSchema.parse(JSON.parse(line));
      return [sample.id, sample.prompt, sample.answer, path.basename(sample.image ?? '')];
    }),
  );
}

function divergence(settings: FinetuneSettings, step: number, loss: number): InputError {
  return new InputError({
    file: settings.samples,
    field: 'finetune.learningRate',
    problem: `the loss is ${loss} at step ${step + 1}: training diverged`,
    remedy: 'Lower finetune.learningRate.peak',
  });
}
