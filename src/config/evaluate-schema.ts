import { z } from 'zod';
import { answerModes, benchmarkNames, benchmarkOf } from '../evaluation/benchmarks/index.ts';
import { computeDtypes, type NumberFormats, weightDtypes } from './finetune-schema.ts';

const count = z.int().positive();
const path = z.string().min(1);

const defaultModes = benchmarkNames.map((name) => `${benchmarkOf(name).answerModes[0]} (${name})`);

const benchmarkSchema = z
  .strictObject({
    benchmark: z.enum(benchmarkNames).describe('Which one: its way of asking and scoring.'),
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be made of small letters, digits, ".", "_" and "-"')
      .optional()
      .describe('Of its folder and its rows in the report. Default: the benchmark, with -blind where it is blind.'),
    file: path.describe('The official file, under data.root.'),
    images: path.optional().describe('Its image folder, under data.root, where the file does not hold them.'),
    limit: count.optional().describe('Take only this many questions, from the start of the file.'),
    blind: z.boolean().default(false).describe('Ask without the image: what the language alone answers.'),
    answers: z
      .enum(answerModes)
      .optional()
      .describe(
        `ranked: the choice of the lowest loss. generated: the model writes its answer. Default: ${defaultModes.join(', ')}.`,
      ),
  })
  .superRefine(({ benchmark, answers }, context) => {
    const modes = benchmarkOf(benchmark).answerModes;
    if (answers === undefined || modes.includes(answers)) return;
    context.addIssue({ code: 'custom', path: ['answers'], message: `${benchmark} is ${modes.join(' or ')} only` });
  });

/** How the merged model is scored, and on what beside the validation and test questions. */
export const evaluateSchema = z.strictObject({
  batchSize: count.default(16).describe('Questions scored at once.'),
  computeDtype: z
    .enum(computeDtypes)
    .optional()
    .describe('What matrix products are computed in. Default: finetune.computeDtype.'),
  weightDtype: z
    .enum(weightDtypes)
    .optional()
    .describe("What the language model's matrices are kept as. Default: finetune.weightDtype."),
  // Each takes three events of the round's history, for each set of questions.
  shards: count.max(1000).default(1).describe('Parts evaluated apart, on as many GPU workers as there are.'),
  benchmarks: z
    .array(benchmarkSchema)
    .default([])
    .describe('Scored every round beside the A-OKVQA questions of data.validation and data.test.'),
  directAnswers: z
    .enum(['choice', 'generated'])
    .default('choice')
    .describe(
      'Direct answers to data.validation and data.test: the words of the choice, or written freely to the question without its choices.',
    ),
  bootstrapSamples: count.default(1000).describe('Resamples that the confidence intervals are taken from.'),
});

/** The number formats of a run's evaluations: those of its finetune, unless the config says otherwise. */
export function evaluationNumberFormats({
  evaluate,
  finetune,
}: {
  evaluate: { [format in keyof NumberFormats]?: NumberFormats[format] | undefined };
  finetune: NumberFormats;
}): NumberFormats {
  return {
    computeDtype: evaluate.computeDtype ?? finetune.computeDtype,
    weightDtype: evaluate.weightDtype ?? finetune.weightDtype,
  };
}
