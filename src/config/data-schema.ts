import { z } from 'zod';
import { exifModes } from '../core/images/image-kind.ts';
import { descriptionSourceNames, descriptionSources } from '../datasets/descriptions/index.ts';
import { questionColumns, tableFormats, trainDatasetNames, trainDatasets } from '../datasets/train-datasets.ts';
import { pathIn } from './config-paths.ts';
import { instructionSchema, questionSettingsSchema } from './questions-schema.ts';

const count = z.int().positive();
const path = pathIn('the data root');

const defaultPaths = trainDatasetNames.flatMap((name) => {
  const { defaultPath } = trainDatasets[name];
  return defaultPath === undefined ? [] : [`${defaultPath} (${name})`];
});

/** One of the base SFT datasets. Their sizes decide how often each is drawn, unless `sampleRatio` does. */
export const trainPartSchema = z
  .strictObject({
    dataset: z
      .enum(trainDatasetNames)
      .describe(
        'gptvqa: generated samples of an earlier run or of the reference system, a DataEngine_round<k>_data.json. conversations: LLaVA, ShareGPT or OpenAI messages. questions: questions of your own.',
      ),
    file: path.optional().describe(`File or folder under data.root. Default: ${defaultPaths.join(', ')}.`),
    images: path.optional().describe('Image folder under data.root. Default: data.images.train.'),
    sampleRatio: z.number().positive().optional().describe('Default: the square root of the number of samples.'),
    format: z
      .enum(tableFormats)
      .optional()
      .describe("Format of a file of conversations or questions. Default: by the file's content."),
    columns: z
      .partialRecord(z.enum(questionColumns), z.string().min(1))
      .optional()
      .describe('Names of columns of questions, where the file has other ones.'),
    instruction: instructionSchema
      .optional()
      .describe('What a question with a short answer ends with (questions only).'),
    skipInvalid: z
      .boolean()
      .optional()
      .describe('Leaves conversations or questions that do not fit out, and counts them by reason. Default: false.'),
  })
  .superRefine(({ dataset, file, ...given }, context) => {
    const { settings = [] } = trainDatasets[dataset];
    for (const field of ['format', 'columns', 'skipInvalid', 'instruction'] as const) {
      if (given[field] === undefined || settings.includes(field)) continue;
      context.addIssue({ code: 'custom', path: [field], message: `a ${dataset} dataset has one way to be read` });
    }
    if (file !== undefined || trainDatasets[dataset].defaultPath !== undefined) return;
    context.addIssue({ code: 'custom', path: ['file'], message: `a ${dataset} dataset must name its file` });
  });

const questionFileSchema = z.strictObject({
  file: path.describe('Under data.root: questions in A-OKVQA format, or with `questions` a file of your own.'),
  limit: count.optional().describe('Take only this many questions, from the start of the file.'),
  questions: questionSettingsSchema
    .optional()
    .describe('Set, if only to {}, for questions of your own: how they are read and scored.'),
});

const sources = descriptionSourceNames.map((name) => `${name}: ${descriptionSources[name].summary}`);

const descriptionsSchema = z
  .strictObject({
    source: z
      .enum(descriptionSourceNames)
      .default('coco')
      .describe(`${sources.join('. ')}. With image and facts, the pool is every image below data.images.train.`),
    file: path.optional().describe('JSON lines under data.root, with source: facts.'),
  })
  .superRefine(({ source, file }, context) => {
    const { readsFile } = descriptionSources[source];
    if (readsFile === (file !== undefined)) return;
    const message = readsFile ? `is missing: source ${source} reads it` : `source ${source} reads no file`;
    context.addIssue({ code: 'custom', path: ['file'], message });
  });

/** Where images, questions and training data are, in the official layout. */
export const dataSchema = z.strictObject({
  root: pathIn('data').describe('Folder in the official layout (A-OKVQA, COCO2017, cc_sbu_align).'),
  scenes: z
    .strictObject({
      seed: z.int().describe('Other images and questions for another seed.'),
      trainImages: count.describe('The pool that new samples are about.'),
      validationImages: count.describe('About three questions each.'),
      testImages: count.describe('About three questions each.'),
      baseShare: z.number().gt(0).max(1).default(0.4).describe('Share of the train images with base questions.'),
      baseTypes: z
        .enum(['mild'])
        .optional()
        .describe(
          'mild: no question type of the base questions is asked more than three times as often as another. Default: three types make up nine tenths of them.',
        ),
    })
    .optional()
    .describe('Renders the demo domain into data.root, unless it is there already.'),
  format: z.enum(['QMA', 'QMAE']).default('QMA').describe('QMAE answers with an explanation, QMA without.'),
  train: z
    .array(trainPartSchema)
    .min(1)
    .default([
      { dataset: 'cc_sbu_align', sampleRatio: 60 },
      { dataset: 'aokvqa', sampleRatio: 130 },
    ])
    .describe('The base SFT datasets, mixed by their ratios.'),
  batching: z
    .enum(['mixed', 'one-dataset'])
    .default('mixed')
    .describe(
      'mixed: each batch has samples of all datasets, by their ratios. one-dataset: each group of finetune.groupSize samples is of one dataset, drawn by the ratios, as in the reference system.',
    ),
  captionPrompts: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      'Requests for a description, one drawn for each sample, or with batching: one-dataset for each group; written as they are, with the space or line break at their end. Default: the request of the dataset.',
    ),
  validation: questionFileSchema
    .default({ file: 'A-OKVQA/aokvqa_v1p0_val_classified.json' })
    .describe('Wrong answers to these questions become bad cases and weights.'),
  test: questionFileSchema.optional().describe('Scored every round, and not used by the loop otherwise.'),
  images: z
    .strictObject({
      train: path
        .default('COCO2017/train2017')
        .describe('Images of the base data, and the pool that new samples are about.'),
      validation: path.default('COCO2017/val2017').describe('Images of the validation questions.'),
      test: path.optional().describe('Default: the validation folder.'),
    })
    .prefault({}),
  exif: z
    .enum(exifModes)
    .default('apply')
    .describe(
      'apply turns images upright by their EXIF orientation; ignore leaves them as stored, as transformers does.',
    ),
  annotations: z
    .strictObject({
      instances: path.default('COCO2017/annotations/instances_train2017.json').describe('Boxes.'),
      captions: path.default('COCO2017/annotations/captions_train2017.json').describe('Five captions an image.'),
    })
    .prefault({})
    .describe('COCO annotations of the pool.'),
  descriptions: descriptionsSchema.prefault({}).describe('What the teacher is told about the images of the pool.'),
  questionTypes: pathIn('configs')
    .default('configs/question-types.yaml')
    .describe(
      'Names and explanations of the question types, with questionTypes.source: file; use your own file for another domain.',
    ),
});
