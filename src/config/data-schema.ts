import { z } from 'zod';
import { trainDatasetNames, trainDatasets } from '../datasets/train-datasets.ts';

const count = z.int().positive();
const path = z.string().min(1);

const defaultPaths = trainDatasetNames.flatMap((name) => {
  const { defaultPath } = trainDatasets[name];
  return defaultPath === undefined ? [] : [`${defaultPath} (${name})`];
});

/** One of the base SFT datasets. Their sizes decide how often each is drawn, unless `sampleRatio` does. */
const trainPartSchema = z
  .strictObject({
    dataset: z
      .enum(trainDatasetNames)
      .describe('gptvqa: what an earlier data engine wrote, a DataEngine_round<k>_data.json.'),
    file: path.optional().describe(`File or folder under data.root. Default: ${defaultPaths.join(', ')}.`),
    images: path.optional().describe('Image folder under data.root. Default: data.images.train.'),
    sampleRatio: z.number().positive().optional().describe('Default: the square root of the number of samples.'),
  })
  .superRefine(({ dataset, file }, context) => {
    if (file !== undefined || trainDatasets[dataset].defaultPath !== undefined) return;
    context.addIssue({ code: 'custom', path: ['file'], message: `a ${dataset} dataset must name its file` });
  });

const questionFileSchema = z.strictObject({
  file: path.describe('Questions in A-OKVQA format, under data.root.'),
  limit: count.optional().describe('Take only this many questions, from the start of the file.'),
});

/** Where images, questions and training data are, in the official layout. */
export const dataSchema = z.strictObject({
  root: path.describe('Folder in the official layout (A-OKVQA, COCO2017, cc_sbu_align).'),
  scenes: z
    .strictObject({
      seed: z.int().describe('Other images and questions for another seed.'),
      trainImages: count.describe('The pool that the teacher is asked about.'),
      validationImages: count.describe('Some three questions each.'),
      testImages: count.describe('Some three questions each.'),
      baseShare: z.number().gt(0).max(1).default(0.4).describe('Share of the train images with base questions.'),
    })
    .optional()
    .describe('Render the demo domain into data.root when it is not there yet.'),
  format: z.enum(['QMA', 'QMAE']).default('QMA').describe('QMAE answers with an explanation, QMA without.'),
  train: z
    .array(trainPartSchema)
    .min(1)
    .default([
      { dataset: 'cc_sbu_align', sampleRatio: 60 },
      { dataset: 'aokvqa', sampleRatio: 130 },
    ])
    .describe('The base SFT datasets, mixed by their ratios.'),
  validation: questionFileSchema
    .default({ file: 'A-OKVQA/aokvqa_v1p0_val_classified.json' })
    .describe('Its wrong answers become bad cases and weights.'),
  test: questionFileSchema.optional().describe('Scored every round; the loop itself never looks at it.'),
  images: z
    .strictObject({
      train: path.default('COCO2017/train2017').describe('Of the base data, and the pool of new samples.'),
      validation: path.default('COCO2017/val2017').describe('Of the validation questions.'),
      test: path.optional().describe('Default: the validation folder.'),
    })
    .prefault({}),
  annotations: z
    .strictObject({
      instances: path.default('COCO2017/annotations/instances_train2017.json').describe('Boxes.'),
      captions: path.default('COCO2017/annotations/captions_train2017.json').describe('Five captions an image.'),
    })
    .prefault({})
    .describe('COCO annotations of the train images, which new samples are written about.'),
  questionTypes: path
    .default('configs/question-types.yaml')
    .describe('Names and explanations of the question types; bring your own for another domain.'),
});
