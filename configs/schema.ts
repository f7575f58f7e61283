import { z } from 'zod';
import { finetuneSchema } from './finetune-schema.ts';

const count = z.int().positive();
const path = z.string().min(1);

/** One of the base SFT datasets. Their sizes decide how often each is drawn, unless `sampleRatio` does. */
const trainPartSchema = z.strictObject({
  dataset: z.enum(['aokvqa', 'cc_sbu_align']),
  file: path
    .optional()
    .describe('Under data.root. Default: A-OKVQA/aokvqa_v1p0_train.json, or the folder cc_sbu_align.'),
  pictures: path.optional().describe('Picture folder under data.root. Default: data.pictures.train.'),
  sampleRatio: z.number().positive().optional().describe('Default: the square root of the number of samples.'),
});

const questionFileSchema = z.strictObject({
  file: path.describe('Questions in A-OKVQA format, under data.root.'),
  limit: count.optional().describe('Take only this many questions, from the start of the file.'),
});

const dataSchema = z.strictObject({
  root: path.describe('Folder in the official layout (A-OKVQA, COCO2017, cc_sbu_align).'),
  scenes: z
    .strictObject({ seed: z.int(), trainPictures: count, validationPictures: count, testPictures: count })
    .optional()
    .describe('Render the demo domain into data.root when it is not there yet.'),
  format: z.enum(['QMA', 'QMAE']).default('QMA').describe('QMAE answers with an explanation, QMA without.'),
  train: z
    .array(trainPartSchema)
    .min(1)
    .default([
      { dataset: 'cc_sbu_align', sampleRatio: 60 },
      { dataset: 'aokvqa', sampleRatio: 130 },
    ]),
  validation: questionFileSchema
    .default({ file: 'A-OKVQA/aokvqa_v1p0_val_classified.json' })
    .describe('Its wrong answers become bad cases and weights.'),
  test: questionFileSchema.optional().describe('Scored every round; the loop itself never looks at it.'),
  pictures: z
    .strictObject({
      train: path.default('COCO2017/train2017'),
      validation: path.default('COCO2017/val2017'),
      test: path.optional().describe('Default: the validation folder.'),
    })
    .prefault({}),
  annotations: z
    .strictObject({
      instances: path.default('COCO2017/annotations/instances_train2017.json'),
      captions: path.default('COCO2017/annotations/captions_train2017.json'),
    })
    .prefault({})
    .describe('COCO annotations of the train pictures, which new samples are written about.'),
  questionTypes: path.default('configs/question-types.yaml'),
});

const samplingSchema = z.strictObject({
  strategy: z
    .enum(['adaptive', 'uniform'])
    .default('adaptive')
    .describe('adaptive: draw question types by error rate. uniform: all alike, to compare with.'),
  requests: count.default(10_000).describe('Requests to the teacher in a round.'),
  nearestPictures: count.default(1000).describe("Pictures nearest to a bad case's picture to draw from."),
  maximumBoxes: count.default(10).describe('Pictures with more boxes are skipped.'),
  inContextExamples: z.int().nonnegative().default(2).describe('Bad cases shown to the teacher in a request.'),
});

const teacherSchema = z.strictObject({
  provider: z.enum(['local', 'openai']).default('openai').describe('local: the rule-based server of the demo.'),
  baseUrl: z.url().optional().describe('Any server that speaks the chat-completions protocol.'),
  model: z.string().min(1).default('gpt-4'),
  apiKeyVariable: z.string().min(1).default('OPENAI_API_KEY').describe('Environment variable with the key.'),
  temperature: z.number().min(0).max(2).default(0.7),
  topP: z.number().gt(0).max(1).default(0.9),
  maximumTokens: count.default(800),
  prompt: path.default('configs/prompts/generate-v1.md'),
  concurrency: count.default(4).describe('Requests under way at once.'),
  requestTimeoutSeconds: z.number().positive().default(120),
  mistakeRate: z.number().min(0).max(1).default(0).describe('local only: share of answers made wrong on purpose.'),
});

const temporalSchema = z.strictObject({
  taskQueues: z
    .strictObject({ cpu: z.string().min(1).default('data-engine'), gpu: z.string().min(1).default('gpu') })
    .prefault({}),
  roundsPerExecution: count.default(10).describe('Rounds before the workflow continues as new.'),
  finetuneTimeoutMinutes: z
    .number()
    .positive()
    .default(24 * 60),
  stallTimeoutSeconds: z.number().positive().default(600).describe('A trainer without progress this long is dead.'),
});

/**
 * A run's configuration. Every key has a default, the reference system's figure where it has one, but for
 * the model and the data.
 */
export const configSchema = z
  .strictObject({
    run: z.string().min(1).optional().describe("The run's name, the folder under runsDirectory."),
    seed: z.int().default(42),
    rounds: z.int().nonnegative().default(2).describe('Data-engine rounds after round 0, the base finetune.'),
    runsDirectory: path.default('runs'),
    model: z.strictObject({ path: path.describe('Model directory in Hugging Face format.') }),
    data: dataSchema,
    finetune: finetuneSchema,
    evaluate: z
      .strictObject({
        batchSize: count.default(16),
        shards: count.default(1).describe('Parts evaluated apart, on as many GPU workers as there are.'),
      })
      .prefault({}),
    sampling: samplingSchema.prefault({}),
    teacher: teacherSchema.prefault({}),
    temporal: temporalSchema.prefault({}),
  })
  .meta({ title: 'MLLM-DataEngine configuration' });

/** A checked configuration, all defaults filled in. */
export type Config = z.output<typeof configSchema>;

/** The schema as JSON Schema, for editors: what a person may write, so a key with a default is optional. */
export function configJsonSchema(): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(configSchema, { io: 'input' });
}
