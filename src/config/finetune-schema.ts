import { z } from 'zod';

export const computeDtypes = ['float32', 'tensorfloat32', 'bfloat16'] as const;
export const weightDtypes = ['float32', 'bfloat16'] as const;
export const augmentations = ['none', 'random-resized-crop'] as const;
export const tooLongPolicies = ['truncate', 'error'] as const;

/** Data types of a language model's matrix products, and of its matrices in memory. */
export interface NumberFormats {
  computeDtype: (typeof computeDtypes)[number];
  weightDtype: (typeof weightDtypes)[number];
}

const count = z.int().positive();
const rate = z.number().nonnegative();

const learningRateSchema = z
  .strictObject({
    initial: rate.default(1e-6).describe('At step 0.'),
    peak: rate.default(3e-4).describe('After the warm-up.'),
    final: rate.default(1e-5).describe('At the last step.'),
    warmupSteps: z.int().nonnegative().default(200).describe('Length of the warm-up.'),
  })
  .describe('Linear from initial to peak over the warm-up, then along a cosine to final.');

const loraSchema = z.strictObject({
  rank: count.default(8).describe('Rank of the update to each matrix: a higher one learns more and costs more.'),
  alpha: z.number().positive().default(16).describe('The update is scaled by alpha / rank.'),
  dropout: z.number().min(0).lt(1).default(0.05).describe('Dropout on the input of each adapter, in training.'),
  targetModules: z
    .array(z.string().min(1))
    .min(1)
    .default(['q_proj', 'k_proj'])
    .describe("Names of the language model's projections that get an adapter."),
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
    epochs: count.default(10).describe('A finetune has epochs × stepsPerEpoch steps.'),
    stepsPerEpoch: count.default(300).describe('Optimizer steps in an epoch.'),
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
    maximumTokens: count
      .default(160)
      .describe('Tokens of a question and its answer; the words before the question and the image do not count.'),
    tooLong: z
      .enum(tooLongPolicies)
      .default('truncate')
      .describe(
        'What becomes of samples longer than maximumTokens. truncate: they are cut at the end, as in the reference system. error: the finetune fails, naming the sample.',
      ),
    weightDecay: rate.default(0.05).describe('Weight decay of AdamW.'),
    learningRate: learningRateSchema.prefault({}),
    lora: loraSchema.prefault({}),
    checkpointEverySteps: count.default(100).describe('An interrupted finetune resumes from the newest checkpoint.'),
    augmentation: z
      .enum(augmentations)
      .default('none')
      .describe(
        'How images of training samples are changed each time they are shown. random-resized-crop: a random part of 50 to 100 % of the area, as in the reference system; the vision side is then computed in each step.',
      ),
    keep: z
      .enum(['last', 'best-validation'])
      .default('last')
      .describe(
        'Which state becomes the adapter. last: that of the last step. best-validation: of the states after each epoch the one with the highest direct-answer score on data.validation, as in the reference system; it takes an evaluation each epoch.',
      ),
    generatedSampleRatios: z
      .array(z.number().positive())
      .optional()
      .describe("Sample ratios of the data of round 1, round 2, … Default: the square root of each one's size."),
  })
  .refine(({ epochs, stepsPerEpoch, learningRate }) => learningRate.warmupSteps <= epochs * stepsPerEpoch, {
    path: ['learningRate', 'warmupSteps'],
    message: 'more steps than the whole finetune has (epochs × stepsPerEpoch)',
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
