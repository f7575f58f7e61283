import { z } from 'zod';
import { metricNames, metricsWith, questionColumns, tableFormats } from '../evaluation/benchmarks/index.ts';

const columnName = z.string().min(1);
const tolerant = metricsWith('tolerance');

export const instructionSchema = z.string().min(1).max(2000);

/** How questions of your own are read and scored, wherever a config names a file of them. */
export const questionSettingsSchema = z
  .strictObject({
    metric: z.enum(metricNames).default('exact-match').describe('How short answers are scored.'),
    tolerance: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe(`Allowed deviation of a number, as a share of the reference (${tolerant.join(', ')}). Default: 0.05.`),
    instruction: instructionSchema
      .optional()
      .describe('What a question with a short answer ends with, such as "Answer with a single word or phrase.".'),
    format: z.enum(tableFormats).optional().describe("Format of the file. Default: by the file's content."),
    columns: z
      .partialRecord(z.enum(questionColumns), columnName)
      .optional()
      .describe('Names of columns, where the file has other ones.'),
  })
  .superRefine(({ metric, tolerance }, context) => {
    if (tolerance === undefined || tolerant.some((name) => name === metric)) return;
    context.addIssue({ code: 'custom', path: ['tolerance'], message: `${metric} has none` });
  });
