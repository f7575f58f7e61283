/**
 * The trainer protocol: how a worker talks to the program that owns the GPU.
 *
 * - The program is started as `<program> <job.json>`; the job file holds one `JobSpec`. All its paths are absolute.
 * - It writes one JSON message a line to standard output. Any other line, and all of standard error, is log.
 * - Standard input is a pipe that carries nothing: when it closes the parent is gone and the program must exit.
 * - SIGTERM asks it to stop soon (write a checkpoint if that is quick); SIGKILL follows after a grace period.
 * - It leads a process group of its own, so that helpers it starts (torchrun's ranks) are stopped with it.
 * - A finetune job started again on the same `output` resumes from the newest checkpoint there.
 * - Before each write it looks at the job's `fence`: it may have been stopped, on another host say, while others went on.
 *
 * Nothing here is TensorFlow's: `torchrun` fits the same protocol.
 */
import { z } from 'zod';
import { augmentations, computeDtypes, schedules, tooLongPolicies, weightDtypes } from '../config/finetune-schema.ts';
import { mergeDtypes } from '../config/merge-schema.ts';
import { exifModes } from '../core/images/image-kind.ts';
import { promptFormSchema } from '../model/families/prompt-form.ts';
import { trainedSettings } from './trained-settings.ts';

/**
 * Raised when the same job gives another result than before, so that nothing done by an earlier version passes for it.
 * Written in src/trainer/torch/protocol.py too.
 */
export const trainerVersion = 3;

const positiveInteger = z.number().int().positive();
const naturalNumber = z.number().int().nonnegative();

/** What a trainer has to know of a family of models to put questions into its words. */
const familySchema = z.strictObject({
  promptForm: promptFormSchema,
  /** Embeddings that stand for an image. */
  imageTokens: positiveInteger,
  /** Ids that `config.json` and the tokenizer both name, the tokenizer's where they differ (`problem`). */
  specialIds: z
    .strictObject({
      begin: naturalNumber,
      ends: z.array(naturalNumber),
      pad: naturalNumber,
      problem: z.string().optional(),
      /** Why the model's `generation_config.json` is not followed: answers can't be written then, but ranked. */
      writingProblem: z.string().optional(),
    })
    .optional(),
});

/**
 * The model's family, if that is one of `src/model/families/`. Other models put questions into the words of their own
 * chat template.
 */
const family = familySchema.optional();

/** How images are opened; default apply. */
const exif = z.enum(exifModes).optional();

/** Fields that stand in place of those in the model's files: of its image processor, and of its `config.json`. */
export const imageFieldsSchema = z
  .strictObject({
    processor: z.record(z.string(), z.unknown()),
    model: z.record(z.string(), z.unknown()).optional(),
  })
  .optional();
const image = imageFieldsSchema;

/** By which a trainer knows that its work is no longer wanted: it then fails, and writes nothing more. */
export type JobFence = NonNullable<z.output<typeof fence>>;
const fence = z
  .strictObject({
    /** A JSON file whose `attempt` must be this one. */
    started: z.string(),
    attempt: z.string(),
    /** A file that is there once the run has another owner. */
    lost: z.string().optional(),
  })
  .optional();

/** Finetunes LoRA adapters; `output` receives the adapter (PEFT), `checkpoints/`, `tensorboard/` and `loss.jsonl`. */
export const finetuneJobSchema = z.strictObject({
  kind: z.literal('finetune'),
  fence,
  model: z.string(),
  family,
  exif,
  image,
  /** `samples.jsonl` of the mixture, a `TrainingSample` a line (src/datasets/train-dataset.ts). */
  samples: z.string(),
  /** `order.json` of the mixture: step s, slot b trains on sample `order[s * batchSize + b]`. */
  order: z.string(),
  output: z.string(),
  /** Folder of a PEFT adapter to start from. Default: the base model. */
  startAdapter: z.string().optional(),
  ...trainedSettings,
  weightDecay: z.number().nonnegative(),
  /** Of AdamW. Default: PyTorch's. */
  adam: z
    .strictObject({
      beta1: z.number().min(0).lt(1),
      beta2: z.number().min(0).lt(1),
      epsilon: z.number().positive(),
    })
    .optional(),
  /** Gradients of a larger norm, over all trained tensors and all processes, are scaled down to it. */
  maximumGradientNorm: z.number().positive().optional(),
  learningRate: z.strictObject({
    /** Default: reference. */
    schedule: z.enum(schedules).optional(),
    initial: z.number().nonnegative(),
    peak: z.number().positive(),
    final: z.number().nonnegative(),
    warmupSteps: naturalNumber,
    /** Module, part of the model, `lora_A` or `lora_B` → what its learning rate is multiplied by; see `rateFactor`. */
    byPart: z.record(z.string(), z.number().nonnegative()).optional(),
  }),
  steps: positiveInteger,
  batchSize: positiveInteger,
  /** Divides `batchSize`: samples computed at once, their gradients summed over the batch. */
  microBatchSize: positiveInteger,
  /** Divides `batchSize`: the loss is the mean over groups of so many samples of the mean over a group's tokens. Default: all. */
  groupSize: positiveInteger.optional(),
  activationCheckpointing: z.boolean(),
  /** What matrix products are computed in; tensorfloat32 where the GPU has it. */
  computeDtype: z.enum(computeDtypes),
  /** What the frozen matrices of the language model are stored as. */
  weightDtype: z.enum(weightDtypes),
  /** PyTorch alone. Default: as transformers chooses. */
  attention: z.enum(['sdpa', 'flash']).optional(),
  /** Tokens of question and answer together; what comes before the question does not count. */
  maximumTokens: positiveInteger,
  /** Tokens of a whole sample, with those of its image; default: none. */
  maximumSequence: positiveInteger.optional(),
  /** What becomes of longer samples: cut at their end, or an input error. Default: truncate. */
  tooLong: z.enum(tooLongPolicies).optional(),
  checkpointEverySteps: positiveInteger,
  /** Processes that prepare images ahead of the model; PyTorch alone. Default: as its trainer chooses. */
  imageWorkers: naturalNumber.optional(),
  /** Memory for what a frozen vision side computed of images, 0 for none; PyTorch alone. Default: as its trainer chooses. */
  imageCacheGigabytes: z.number().nonnegative().optional(),
  /** How the images of samples are changed each time they are shown. Default: none. */
  augmentation: z.enum(augmentations).optional(),
  /** Learns from preference pairs (DPO, arXiv 2305.18290), beside the samples or in their place. Default: from the samples alone. */
  preference: z
    .strictObject({
      /** A `PreferenceSample` a line (src/datasets/preference-pairs.ts). */
      pairs: z.string(),
      /** As `order`, of the pairs: step s, slot b trains on pair `order[s * batchSize + b]`. */
      order: z.string(),
      /** Pairs a step. As many are computed at once as divide it and are at most half of `microBatchSize`, at least one. */
      batchSize: positiveInteger,
      beta: z.number().positive(),
      labelSmoothing: z.number().min(0).lt(0.5),
      /** Whether log probabilities are means over the tokens of an answer, in place of sums. */
      lengthNormalized: z.boolean(),
      /** What the loss on the samples weighs against that on the pairs; 0: samples are not trained on. */
      sftWeight: z.number().nonnegative(),
      /** Folder of the PEFT adapter that the loss compares with, of the settings of `lora`. Default: the base model. */
      referenceAdapter: z.string().optional(),
    })
    .optional(),
  /** Keeps the state with the highest score on questions. Default: the last state. */
  validation: z
    .strictObject({
      /** A `ValidationQuestion` a line. */
      questions: z.string(),
      everySteps: positiveInteger,
      /** Questions ranked at once. */
      batchSize: positiveInteger,
    })
    .optional(),
  /** The loss on samples that are not trained on: `validation-loss.jsonl`, a `ValidationLossRecord` a line. */
  validationLoss: z
    .strictObject({
      /** A `TrainingSample` a line, in batches of `batchSize`. */
      samples: z.string(),
      everySteps: positiveInteger,
      /** Training ends after so many computations in a row without improvement. Default: at the last step. */
      stopAfter: positiveInteger.optional(),
      /** What a lower loss must gain to be an improvement. Default: 0. */
      minimumChange: z.number().nonnegative().optional(),
      /** Whether the state of the lowest loss is kept; not with `validation`. */
      keepsBest: z.boolean(),
    })
    .optional(),
  seed: z.number().int(),
});

/** Writes `model` + `adapter` as one model directory and checks it against the unmerged pair on a few samples. */
export const mergeJobSchema = z.strictObject({
  kind: z.literal('merge'),
  fence,
  model: z.string(),
  family,
  exif,
  image,
  adapter: z.string(),
  output: z.string(),
  /** What the merged model's weights are written as; default base, each as the base model has it. */
  dtype: z.enum(mergeDtypes).optional(),
  /** A file that is made once the merged model is written: a job that finds it there only compares the models. */
  written: z.string().optional(),
  parity: z.strictObject({
    samples: z.string(),
    count: naturalNumber,
    /** The most that a logit may differ by; where merged weights are rounded, what rounding can do is added. */
    tolerance: z.number().positive(),
    /** What matrices that the adapter leaves alone are stored as while the two models are compared; default float32. */
    weightDtype: z.enum(weightDtypes).optional(),
  }),
});

/** Ranks the answers of questions, and has answers written; `output` has an `EvaluationAnswer` a line. */
export const evaluateJobSchema = z.strictObject({
  kind: z.literal('evaluate'),
  fence,
  model: z.string(),
  family,
  exif,
  image,
  /** An `EvaluationQuestion` a line. */
  questions: z.string(),
  batchSize: positiveInteger,
  /** False where each choice and each written token is computed from the start; PyTorch alone. */
  keyValueCache: z.boolean().optional(),
  /** What matrix products are computed in; default float32. */
  computeDtype: z.enum(computeDtypes).optional(),
  /** What the matrices of the language model are stored as; default float32. */
  weightDtype: z.enum(weightDtypes).optional(),
  output: z.string(),
});

/**
 * Embeds images with the frozen vision encoder of a model of any family, or with CLIP; `output` is safetensors
 * `embeddings` [images, width], L2-normalized.
 */
export const embedJobSchema = z.strictObject({
  kind: z.literal('embed'),
  fence,
  model: z.string(),
  family,
  exif,
  image,
  /** Absolute image paths, or a file holding a JSON list of them. Row i of the output belongs to image i. */
  images: z.union([z.string(), z.array(z.string())]),
  output: z.string(),
});

/** Counts the tokens of samples as a finetune would train on them; `output` has a `MeasuredSample` a line. */
export const measureJobSchema = z.strictObject({
  kind: z.literal('measure'),
  fence,
  model: z.string(),
  family,
  exif,
  image,
  /** A `TrainingSample` a line. */
  samples: z.string(),
  maximumTokens: positiveInteger,
  maximumSequence: positiveInteger.optional(),
  output: z.string(),
});

export const jobSpecSchema = z.discriminatedUnion('kind', [
  finetuneJobSchema,
  mergeJobSchema,
  evaluateJobSchema,
  embedJobSchema,
  measureJobSchema,
]);

export type FinetuneJob = z.output<typeof finetuneJobSchema>;
export type MergeJob = z.output<typeof mergeJobSchema>;
export type EvaluateJob = z.output<typeof evaluateJobSchema>;
export type EmbedJob = z.output<typeof embedJobSchema>;
export type MeasureJob = z.output<typeof measureJobSchema>;
export type JobSpec = z.output<typeof jobSpecSchema>;
export type ImageFields = NonNullable<z.output<typeof image>>;
/** The jobs of one kind. */
export type JobOf<Kind extends JobSpec['kind']> = Extract<JobSpec, { kind: Kind }>;
/** A job without its kind, as the function that does it needs it. */
export type SettingsOf<Job extends JobSpec> = Omit<Job, 'kind'>;
export type LoraSettings = FinetuneJob['lora'];
export type LearningRateSchedule = FinetuneJob['learningRate'];

const startedSchema = z.looseObject({ type: z.literal('started') });

const progressSchema = z.object({
  /** What the steps are of, when it is not the main work: `images`, `compile`. Each phase counts from 0. */
  phase: z.string().optional(),
  /** Work units finished (optimizer steps, batches, tensors); only growth counts as being alive. */
  step: naturalNumber,
  steps: naturalNumber,
  loss: z.number().optional(),
  learningRate: z.number().optional(),
  tokensPerSecond: z.number().optional(),
  etaSeconds: z.number().optional(),
  /** The newest checkpoint. A trainer reports it in a message of its own. */
  checkpoint: z.string().optional(),
});

/** How far a job is, or any other step of a round. */
export type Progress = z.output<typeof progressSchema>;

const progressMessageSchema = progressSchema.extend({ type: z.literal('progress') });

const checkpointSchema = z.object({ type: z.literal('checkpoint'), step: naturalNumber, uri: z.string() });

const outcomeSchema = z.object({
  /** Files written, relative to the job's output or absolute. */
  outputs: z.array(z.string()),
  metrics: z.record(z.string(), z.number()),
});

/** What a finished job leaves. */
export type JobOutcome = z.output<typeof outcomeSchema>;

const doneSchema = outcomeSchema.extend({ type: z.literal('done') });

const failedSchema = z.object({
  type: z.literal('failed'),
  /** `input`: a person must repair something; `memory`: out of memory; `internal`: anything else. */
  kind: z.enum(['input', 'memory', 'internal']),
  message: z.string(),
  retryable: z.boolean(),
});

export const trainerMessageSchema = z.discriminatedUnion('type', [
  startedSchema,
  progressMessageSchema,
  checkpointSchema,
  doneSchema,
  failedSchema,
]);

export type TrainerMessage = z.output<typeof trainerMessageSchema>;
export type FailureKind = z.output<typeof failedSchema>['kind'];

/** The message in a line of the trainer's standard output, or undefined when the line is log. */
export function parseTrainerLine(line: string): TrainerMessage | undefined {
  if (!line.startsWith('{')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  return trainerMessageSchema.safeParse(value).data;
}
