/** The finetune job: LoRA adapters on a mixture of samples, resumable at any checkpoint. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { hashFile, hashValue } from '../../../core/hash.ts';
import { InputError } from '../../../core/input-error.ts';
import { trainingSampleSchema } from '../../../datasets/train-dataset.ts';
import { familyOf } from '../../../model/families/index.ts';
import { type ModelDirectory, readModelDirectory } from '../../../model/files/model-directory.ts';
import { useComputeDtype } from '../../../model/ops/tensorflow.ts';
import { type FinetuneJob, type JobOutcome, type SettingsOf, trainerVersion } from '../../protocol.ts';
import type { JobReporter } from '../../trainer-side.ts';
import { collate, learnedTokens } from '../batch.ts';
import { imageFeatures } from '../vision/image-features.ts';
import { readStartAdapter, saveAdapter } from './adapter-files.ts';
import { readNewestCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { type BatchPart, type FinetuneProgram, finetuneProgram } from './finetune-program.ts';
import { adaptedModules, loraShapes } from './lora.ts';
import { openLossLog } from './loss-log.ts';
import { learningRateAt } from './optimizer.ts';
import { planSteps, type StepPart } from './plan.ts';

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
    const plan = await planSteps(model, settings, reporter.note);
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
  return hashValue({ ...rest, trainerVersion, weightsHash, samplesHash, orderHash, startHash });
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
