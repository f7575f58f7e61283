/** The finetune job: LoRA adapters on a mixture of samples, resumable at any checkpoint. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { type ModelDirectory, readModelDirectory } from '../model/files/model-directory.ts';
import { loadTokenizer } from '../model/text/tokenizer.ts';
import { hashFile, hashValue } from '../store/hash.ts';
import { InputError } from '../store/input-error.ts';
import { readJson, readJsonLines } from '../store/read-json.ts';
import { saveAdapter } from './adapter-files.ts';
import { batchShape, collate } from './batch.ts';
import { readNewestCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { type FinetuneProgram, finetuneProgram } from './finetune-program.ts';
import { type LearningRateSchedule, learningRateAt } from './learning-rate.ts';
import { adaptedModules, type LoraSettings } from './lora.ts';
import { openLossLog } from './loss-log.ts';
import { pictureFeatures } from './picture-features.ts';
import type { JobOutcome, JobReporter } from './report-progress.ts';
import { type Sequence, trainingSequence } from './sequence.ts';

export interface FinetuneSettings {
  /** Model directory of the base model. */
  model: string;
  /** `samples.jsonl` of the mixture. */
  samples: string;
  /** `order.json` of the mixture: the sample of step s, slot b is `order[s * batchSize + b]`. */
  order: string;
  output: string;
  lora: LoraSettings;
  weightDecay: number;
  learningRate: LearningRateSchedule;
  steps: number;
  batchSize: number;
  maximumTokens: number;
  checkpointEverySteps: number;
  seed: number;
}

const sampleSchema = z.looseObject({
  id: z.string(),
  picture: z.string().optional(),
  prompt: z.string(),
  answer: z.string(),
});
type Sample = z.output<typeof sampleSchema>;

/**
 * Trains, and writes the adapter in PEFT's format.
 *
 * A job started again on the same output goes on from its newest checkpoint, and its loss curve is that of
 * an uninterrupted one: batches, dropout and learning rate depend on the step and the seed alone.
 *
 * @throws InputError for samples, pictures or a model that can't be used, naming file and field
 */
export async function finetune(settings: FinetuneSettings, reporter: JobReporter): Promise<JobOutcome> {
  const model = await readModelDirectory(settings.model);
  try {
    // A wrong target is told before the pictures are computed.
    adaptedModules(model.config, settings.lora.targetModules);
    const plan = await planSteps(model, settings);
    const features = await pictureFeatures(
      model,
      plan.flatMap(({ samples }) => samples.flatMap(({ picture }) => picture ?? [])),
      {
        signal: reporter.signal,
        onProgress: (done, total) => reporter.progress({ phase: 'pictures', step: done, steps: total }),
      },
    );
    const shapes = plan.map(({ shape }) => shape);
    const program = await finetuneProgram(model, settings.lora, shapes, settings);
    try {
      return await train({ settings, model, plan, features, program, reporter });
    } finally {
      program.dispose();
    }
  } finally {
    await model.close();
  }
}

interface Step {
  samples: Sample[];
  sequences: Sequence[];
  shape: ReturnType<typeof batchShape>;
}

/** Every step's samples, tokenized: all shapes are known, and all errors found, before the GPU is touched. */
async function planSteps(model: ModelDirectory, settings: FinetuneSettings): Promise<Step[]> {
  const { steps, batchSize } = settings;
  const tokenizer = await loadTokenizer(settings.model);
  const samples = await readJsonLines(settings.samples, sampleSchema);
  const order = await readJson(settings.order, z.array(z.number().int().nonnegative().lt(samples.length)));
  if (order.length < steps * batchSize) {
    throw new InputError({
      file: settings.order,
      problem: `holds ${order.length} samples, but ${steps} steps of ${batchSize} need ${steps * batchSize}`,
      remedy: 'Materialize the mixture again for this number of steps',
    });
  }
  const sequenceSettings = {
    tokenizer,
    queries: model.config.num_query_tokens,
    maximumTokens: settings.maximumTokens,
    beginToken: beginToken(model),
  };
  const tokenized = samples.map((sample): Sequence | undefined => {
    try {
      return trainingSequence(sample.prompt, sample.answer, sequenceSettings);
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  });
  return Array.from({ length: steps }, (_, step) => {
    const indices = order.slice(step * batchSize, (step + 1) * batchSize);
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
      samples: indices.map((index) => samples[index] as Sample),
      sequences,
      shape: batchShape(sequences),
    };
  });
}

/** The token that begins every sequence. */
export function beginToken(model: ModelDirectory): number {
  return model.config.text_config.bos_token_id ?? 1;
}

interface Training {
  settings: FinetuneSettings;
  model: ModelDirectory;
  plan: Step[];
  features: Awaited<ReturnType<typeof pictureFeatures>>;
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
  const queries = model.config.num_query_tokens;
  const started = performance.now();
  let tokens = 0;
  let loss = Number.NaN;
  try {
    for (let step = first; step < steps; step++) {
      const { samples, sequences, shape } = plan[step] as Step;
      const learningRate = learningRateAt(step, steps, settings.learningRate);
      loss = program.step({
        shape,
        batch: collate(sequences, shape, queries),
        pictures: features.batch(samples.map(({ picture }) => picture)),
        step,
        learningRate,
      });
      if (!Number.isFinite(loss)) throw divergence(settings, step, loss);
      tokens += shape.batch * shape.tokens;
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
      // Asked to stop after the last step: all that is left is to write the adapter.
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
  const files = await saveAdapter(output, settings, program.layout, program.read().parameters);
  return { outputs: [...files, path.basename(log.file)], metrics: { loss, steps, resumedAtStep: first } };
}

/** What a checkpoint belongs to: the job without its paths. */
async function hashOfJob(settings: FinetuneSettings, weightsHash: string): Promise<string> {
  const { model: _model, output: _output, samples, order, checkpointEverySteps: _every, ...rest } = settings;
  const [samplesHash, orderHash] = await Promise.all([contentHash(samples), hashFile(order)]);
  return hashValue({ ...rest, weightsHash, samplesHash, orderHash });
}

/** The samples' texts and pictures by name: the same data in another folder is the same job. */
async function contentHash(samples: string): Promise<string> {
  const lines = (await readFile(samples, 'utf8')).trimEnd().split('\n');
  return hashValue(
    lines.map((line) => {
      const sample = sampleSchema.parse(JSON.parse(line));
      return [sample.id, sample.prompt, sample.answer, path.basename(sample.picture ?? '')];
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
