import { z } from 'zod';
import { pathIn } from './config-paths.ts';
import { trainPartSchema } from './data-schema.ts';
import { adaptedParts, loraSchema, targetsByPart, trainableSchema } from './lora-schema.ts';
import { objectives, preferenceSchema } from './preference-schema.ts';

export const computeDtypes = ['float32', 'tensorfloat32', 'bfloat16'] as const;
export const weightDtypes = ['float32', 'bfloat16'] as const;
export const augmentations = ['none', 'random-resized-crop'] as const;
export const tooLongPolicies = ['truncate', 'error'] as const;
export const schedules = ['reference', 'cosine', 'linear', 'constant'] as const;

/** Data types of a language model's matrix products, and of its matrices in memory. */
export interface NumberFormats {
  computeDtype: (typeof computeDtypes)[number];
  weightDtype: (typeof weightDtypes)[number];
}

const count = z.int().positive();
const rate = z.number().nonnegative();

const learningRateSchema = z
  .strictObject({
    schedule: z
      .enum(schedules)
      .optional()
      .describe(
        'What follows the warm-up. reference: a cosine to final that counts from the first step, as in the reference system. cosine, linear: to final, counted from the end of the warm-up, as of transformers. constant: peak up to the end. Default: reference.',
      ),
    initial: rate.default(1e-6).describe('At step 0; 0 as of transformers.'),
    peak: rate.default(3e-4).describe('After the warm-up.'),
    final: rate.default(1e-5).describe('At the last step; 0 as of transformers. Not used with schedule: constant.'),
    warmupSteps: rate
      .refine((steps) => steps < 1 || Number.isInteger(steps), 'neither a number of steps nor a share below 1')
      .default(200)
      .describe('Length of the warm-up, linear from initial to peak: steps, or below 1 a share of all steps.'),
    byPart: z
      .record(z.string().min(1), z.number().nonnegative())
      .optional()
      .describe(
        'Part of what is trained → what its learning rate is multiplied by: a name of lora.targetModules, a part (language, vision, projector, projection), or a factor of each update, lora_A or lora_B. A tensor of several parts has the product.',
      ),
  })
  .describe("The learning rate's course.");

const adamSchema = z
  .strictObject({
    beta1: z.number().min(0).lt(1).default(0.9).describe('Decay of the mean of the gradients.'),
    beta2: z.number().min(0).lt(1).default(0.999).describe('Decay of the mean of their squares.'),
    epsilon: z.number().positive().default(1e-8).describe('Added to the root of that mean.'),
  })
  .describe('AdamW. Default: as of PyTorch, and the reference system.');

const validationLossSchema = z
  .strictObject({
    heldOut: z
      .number()
      .gt(0)
      .lt(1)
      .optional()
      .describe(
        'Share of the images of the training data whose samples are not trained on, drawn by the seed; an image that is held out in one round is in all of them. Samples without an image are drawn on their own.',
      ),
    dataset: trainPartSchema.optional().describe('A dataset like those of data.train, in place of heldOut.'),
    everySteps: count.optional().describe('Steps between two computations. Default: those of an epoch.'),
    stopAfter: count
      .optional()
      .describe('Training stops after so many computations in a row without improvement. Default: it does not.'),
    minimumChange: rate.optional().describe('What a lower loss must gain to be an improvement. Default: 0.'),
  })
  .refine(({ heldOut, dataset }) => (heldOut === undefined) !== (dataset === undefined), {
    path: ['heldOut'],
    message: 'set this or dataset, and not both',
  })
  .refine(({ dataset }) => dataset?.sampleRatio === undefined, {
    path: ['dataset', 'sampleRatio'],
    message: 'has no meaning here: each sample is used once',
  })
  .refine(({ minimumChange, stopAfter }) => minimumChange === undefined || stopAfter !== undefined, {
    path: ['minimumChange'],
    message: 'requires stopAfter',
  });

/** How a round finetunes: the reference system's figures by default. */
export const finetuneSchema = z
  .strictObject({
    startFrom: z
      .enum(['base', 'previous'])
      .default('base')
      .describe(
        'base: a new adapter on the base model, as in the reference system. previous: the adapter of the last good round.',
      ),
    round0Adapter: pathIn('models')
      .optional()
      .describe(
        'Folder of a PEFT adapter of the base model that round 0 takes as it is, in place of training one: for a model that is finetuned on the base data already.',
      ),
    objective: z
      .enum(objectives)
      .default('sft')
      .describe(
        "What rounds learn from. sft: the right answers. dpo: pairs alone, of the right choice of a new sample and the wrong one that the last good model chose. sft+dpo: both in each step. Round 0, and a round without pairs, is sft's.",
      ),
    preference: preferenceSchema
      .optional()
      .describe('With objective: dpo or sft+dpo, how pairs are learned from. Default: that of each key.'),
    epochs: count.default(10).describe('A finetune has epochs × stepsPerEpoch steps.'),
    stepsPerEpoch: z
      .union([count, z.literal('auto')])
      .default(300)
      .describe(
        'Optimizer steps in an epoch. auto: one pass over the data, as many steps as take as many samples as there are.',
      ),
    batchSize: count.default(16).describe('Samples per step.'),
    microBatchSize: count
      .optional()
      .describe('Samples computed at once; must divide batchSize. Smaller takes less memory. Default: batchSize.'),
    groupSize: count
      .optional()
      .describe(
        'Samples whose losses are averaged by token on their own, before the mean of the groups: what one GPU of the reference system computes. Must divide batchSize. Default: batchSize.',
      ),
    activationCheckpointing: z
      .boolean()
      .default(false)
      .describe('Recompute the activations of each layer for its gradient: less memory, about a third more time.'),
    computeDtype: z
      .enum(computeDtypes)
      .default('float32')
      .describe('Data type of matrix products. tensorfloat32: on NVIDIA GPUs since Ampere, else float32.'),
    weightDtype: z
      .enum(weightDtypes)
      .default('float32')
      .describe("Data type of the language model's frozen matrices in memory. bfloat16 takes half the memory."),
    attention: z
      .enum(['sdpa', 'flash'])
      .optional()
      .describe(
        "trainer: torchrun: what computes attention. sdpa: PyTorch's own. flash: FlashAttention-2, on a GPU, with computeDtype: bfloat16 and the package flash-attn, which is installed apart. Default: sdpa where transformers has it for the model.",
      ),
    maximumTokens: count
      .default(160)
      .describe('Tokens of a question and its answer; the words before the question and the image do not count.'),
    maximumSequence: count
      .optional()
      .describe(
        "Tokens of a whole sample, those of its image and of the family's words among them. An image is never cut: one that leaves no room for words is an error. Default: none.",
      ),
    tooLong: z
      .enum(tooLongPolicies)
      .default('truncate')
      .describe(
        'What becomes of samples longer than maximumTokens or maximumSequence. truncate: they are cut at the end, as in the reference system. error: the finetune fails, naming the sample.',
      ),
    weightDecay: rate.default(0.05).describe('Weight decay of AdamW.'),
    adam: adamSchema.optional(),
    maximumGradientNorm: z
      .number()
      .positive()
      .optional()
      .describe(
        'Gradients whose norm, over all trained tensors, is larger are scaled down to it; loss.jsonl then has the norm of each step. Default: none, as in the reference system.',
      ),
    learningRate: learningRateSchema.prefault({}),
    lora: loraSchema.prefault({}),
    trainable: trainableSchema,
    imageWorkers: z
      .int()
      .min(0)
      .max(64)
      .optional()
      .describe(
        'trainer: torchrun: processes that prepare images ahead of the model, for each of `processes`. 0: a thread does it. Default: on a GPU the cores that each of `processes` has to itself, but one and at most 8; on a CPU 0.',
      ),
    imageCacheGigabytes: z
      .number()
      .nonnegative()
      .optional()
      .describe(
        'trainer: torchrun, model families of this program: memory, for each of `processes`, in which what the frozen vision side computed of images is kept across epochs. 0: it is computed for each batch. Default: 4.',
      ),
    checkpointEverySteps: count.default(100).describe('An interrupted finetune resumes from the newest checkpoint.'),
    augmentation: z
      .enum(augmentations)
      .default('none')
      .describe(
        'How images of training samples are changed each time they are shown. random-resized-crop: a random part of 50 to 100 % of the area, as in the reference system; the vision side is then computed in each step.',
      ),
    keep: z
      .enum(['last', 'best-validation', 'best-validation-loss'])
      .default('last')
      .describe(
        'Which state becomes the adapter. last: that of the last step. best-validation: of the states after each epoch the one with the highest direct-answer score on data.validation, as in the reference system; it takes an evaluation each epoch. best-validation-loss: of the states whose validationLoss was computed the one of the lowest.',
      ),
    validationLoss: validationLossSchema
      .optional()
      .describe('The loss on samples that are not trained on: validation-loss.jsonl, TensorBoard and the report.'),
    generatedSampleRatios: z
      .array(z.number().positive())
      .optional()
      .describe("Sample ratios of the data of round 1, round 2, … Default: the square root of each one's size."),
  })
  .refine(
    (finetune) =>
      finetune.stepsPerEpoch === 'auto' || warmupOf(finetune.learningRate, stepsOf(finetune, 0)) !== undefined,
    {
      path: ['learningRate', 'warmupSteps'],
      message: 'more steps than the whole finetune has (epochs × stepsPerEpoch)',
    },
  )
  .superRefine(({ lora, trainable = [], learningRate }, context) => {
    const targets = targetsByPart(lora.targetModules);
    const modules = [...new Set(adaptedParts.flatMap((part) => targets[part]))];
    const parts = adaptedParts.filter((part) => targets[part].length > 0);
    const trained: readonly string[] = [...modules, ...parts, ...trainable, 'lora_A', 'lora_B'];
    for (const part of Object.keys(learningRate.byPart ?? {})) {
      if (trained.includes(part)) continue;
      const message = `is not trained; a finetune trains ${trained.join(', ')}`;
      context.addIssue({ code: 'custom', path: ['learningRate', 'byPart', part], message });
    }
  })
  .refine(
    ({ lora, trainable = [] }) =>
      !trainable.includes('projection') || !targetsByPart(lora.targetModules).projector.length,
    {
      path: ['trainable'],
      message:
        'projection is trained whole, so finetune.lora.targetModules.projector has no meaning: leave one of them out',
    },
  )
  .refine(({ objective, preference }) => preference === undefined || objective !== 'sft', {
    path: ['preference'],
    message: 'requires finetune.objective: dpo or sft+dpo',
  })
  .refine(({ objective, startFrom }) => objective !== 'dpo' || startFrom === 'previous', {
    path: ['objective'],
    message: 'dpo requires startFrom: previous: pairs alone do not teach the base model to answer',
  })
  .refine(({ keep, validationLoss }) => keep !== 'best-validation-loss' || validationLoss !== undefined, {
    path: ['keep'],
    message: 'best-validation-loss requires finetune.validationLoss',
  })
  .refine(({ batchSize, microBatchSize = batchSize }) => batchSize % microBatchSize === 0, {
    path: ['microBatchSize'],
    message: 'does not divide finetune.batchSize',
  })
  .refine(({ batchSize, groupSize = batchSize }) => batchSize % groupSize === 0, {
    path: ['groupSize'],
    message: 'does not divide finetune.batchSize',
  })
  .prefault({});

interface Length {
  epochs: number;
  stepsPerEpoch: number | 'auto';
  batchSize: number;
}

/**
 * Optimizer steps of a finetune. With `stepsPerEpoch: auto` an epoch takes as many samples as there are, and its last batch is
 * filled up with those of the next: the steps of `transformers.Trainer` with so many epochs.
 *
 * @param samples of all datasets
 */
export function stepsOf(length: Length, samples: number): number {
  return length.epochs * epochSteps(length, samples);
}

/** Optimizer steps of one epoch. */
export function epochSteps({ stepsPerEpoch, batchSize }: Length, samples: number): number {
  return stepsPerEpoch === 'auto' ? Math.ceil(samples / batchSize) : stepsPerEpoch;
}

/** Steps of the warm-up of a finetune of so many steps, or undefined where it is longer than that. */
export function warmupOf({ warmupSteps }: { warmupSteps: number }, steps: number): number | undefined {
  // A share as transformers rounds it.
  const warmup = warmupSteps < 1 ? Math.ceil(warmupSteps * steps) : warmupSteps;
  return warmup > steps ? undefined : warmup;
}
