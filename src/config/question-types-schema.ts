import { z } from 'zod';
import { waitHours } from '../core/durations.ts';

const count = z.int().positive();

/** Where question types come from. */
export const questionTypesSchema = z.strictObject({
  source: z
    .enum(['file', 'column', 'discover'])
    .default('file')
    .describe(
      "file: data.questionTypes lists them. column: those that the validation questions have, explained by examples. discover: the teacher proposes them from round 0's right and wrong answers, and sorts every validation and test question; types in the question files don't count.",
    ),
  approve: z
    .enum(['automatic', 'manual'])
    .default('automatic')
    .describe('manual: after each discovery the run waits for a person, who may edit the types.'),
  timeoutHours: waitHours
    .default(72)
    .describe('With approve: manual, after this long the types are used as they stand in their file.'),
  maximum: z.int().min(1).max(100).default(20).describe('Most types that a discovery proposes, without `other`.'),
  questions: count
    .default(2000)
    .describe(
      'Most answered questions that the teacher reads for a discovery, half of them wrong ones if there are enough.',
    ),
  batchSize: count.max(1000).default(200).describe('Questions in one request for types.'),
  newTypeFrom: z
    .int()
    .min(2)
    .or(z.literal('off'))
    .default(10)
    .describe(
      'Later rounds add types where this many bad cases fit none and one new type holds them. off: they add none.',
    ),
});
