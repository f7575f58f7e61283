import { z } from 'zod';
import { fieldKinds, metricNames, metricsWith, questionColumns, tableFormats } from '../evaluation/benchmarks/index.ts';
import { pathIn } from './config-paths.ts';

const columnName = z.string().min(1);
const tolerant = metricsWith('tolerance');
const withFields = metricsWith('fields');

export const instructionSchema = z.string().min(1).max(2000);

const judgeSchema = z
  .strictObject({
    rubric: pathIn('configs')
      .optional()
      .describe('Prompt file by which the teacher scores an answer. Default: configs/prompts/judge-v1.md.'),
    labelled: pathIn('the data root')
      .optional()
      .describe(
        'Answers under data.root that people have called right or wrong: how far the teacher agrees with them is reported.',
      ),
    checks: z
      .int()
      .nonnegative()
      .max(100_000)
      .default(100)
      .describe('Answers that are judged again in another order and with padding, to see whether the score changes.'),
  })
  .describe('How the teacher judges, with metric: judge.');

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
    fields: z
      .record(z.string().min(1), z.enum(fieldKinds))
      .optional()
      .describe(
        `Fields that count, by the path of their keys, such as { total: number, items.name: text } (${withFields.join(', ')}). Default: all, as texts.`,
      ),
    judge: judgeSchema.optional(),
    instruction: instructionSchema
      .optional()
      .describe('What a question with a short answer ends with, such as "Answer with a single word or phrase.".'),
    format: z.enum(tableFormats).optional().describe("Format of the file. Default: by the file's content."),
    columns: z
      .partialRecord(z.enum(questionColumns), columnName)
      .optional()
      .describe('Names of columns, where the file has other ones.'),
    skipInvalid: z
      .boolean()
      .optional()
      .describe('Leaves questions that do not fit out, and counts them by reason. Default: false.'),
  })
  .superRefine(({ metric, tolerance, fields, judge }, context) => {
    const refuse = (path: string) => context.addIssue({ code: 'custom', path: [path], message: `${metric} has none` });
    if (tolerance !== undefined && !tolerant.includes(metric)) refuse('tolerance');
    if (fields !== undefined && !withFields.includes(metric)) refuse('fields');
    if (judge !== undefined && metric !== 'judge') refuse('judge');
  });
