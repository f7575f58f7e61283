import { z } from 'zod';

const similarity = z.number().gt(0).max(1);

/** Which of the teacher's answers are kept, after the reference system's filters. */
export const refineSchema = z.strictObject({
  nearDuplicateSimilarity: similarity
    .default(0.85)
    .describe('Share of common words and word pairs from which on two questions about an image are the same.'),
  maximumAlike: z
    .int()
    .positive()
    .optional()
    .describe('How many questions of all rounds may be alike, choices included, about any images. Default: any.'),
  evaluationSimilarity: z
    .union([similarity, z.literal('off')])
    .default(0.85)
    .describe("From here on a question with its choices is a copy of an evaluation question. off: don't compare."),
});
