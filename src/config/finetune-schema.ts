import { z } from 'zod';

export const computeDtypes = ['float32', 'tensorfloat32', 'bfloat16'] as const;
export const weightDtypes = ['float32', 'bfloat16'] as const;

/** What a language model's products are computed in, and what its matrices are kept as. */
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
  rank: count.default(8).describe('Of the update to each matrix: more learns more, and costs more.'),
  alpha: z.number().positive().default(16).describe('The update is scaled by alpha / rank.'),
  dropout: z.number().min(0).lt(1).default(0.05).describe('Of the input of each adapter, in training.'),
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
        "What a round's adapter begins from: nothing, as the reference system's, or the adapter of the round before.",
      ),
    epochs: count.default(10).describe('A finetune has epochs × stepsPerEpoch steps.'),
    stepsPerEpoch: count.default(300).describe('Steps of the optimizer in an epoch.'),
    batchSize: count.default(16).describe('Samples a step.'),
    microBatchSize: count
      .optional()
      .describe('Samples computed at once; must divide batchSize. Default: batchSize. Less takes less memory.'),
    activationCheckpointing: z
      .boolean()
      .default(false)
      .describe('Compute the inside of each layer again for its gradient: less memory, about a third more time.'),
    computeDtype: z
      .enum(computeDtypes)
      .default('float32')
      .describe('What matrix products are computed in. tensorfloat32: on NVIDIA GPUs since Ampere, else float32.'),
    weightDtype: z
      .enum(weightDtypes)
      .default('float32')
      .describe("What the language model's frozen matrices are kept as. bfloat16 takes half the memory."),
    maximumTokens: count.default(160).describe('The text of a sample is cut here.'),
    weightDecay: rate.default(0.05).describe('Of AdamW.'),
    learningRate: learningRateSchema.prefault({}),
    lora: loraSchema.prefault({}),
    checkpointEverySteps: count.default(100).describe('An interrupted finetune goes on from the newest checkpoint.'),
    generatedSampleRatios: z
      .array(z.number().positive())
      .optional()
      .describe("Sample ratios of round 1's, round 2's … data. Default: the square root of each one's size."),
  })
  .refine(({ epochs, stepsPerEpoch, learningRate }) => learningRate.warmupSteps <= epochs * stepsPerEpoch, {
    path: ['learningRate', 'warmupSteps'],
    message: 'more steps than the whole finetune has (epochs × stepsPerEpoch)',
  })
  .refine(({ batchSize, microBatchSize = batchSize }) => batchSize % microBatchSize === 0, {
    path: ['microBatchSize'],
    message: 'does not divide finetune.batchSize',
  })
  .prefault({});
