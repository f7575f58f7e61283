import { z } from 'zod';

const count = z.int().positive();

/** Adaptive Bad-case Sampling: what the teacher is asked for. */
export const samplingSchema = z.strictObject({
  strategy: z
    .enum(['adaptive', 'expected-gain', 'uniform'])
    .default('adaptive')
    .describe(
      'How question types are drawn. adaptive: by error rate. expected-gain: by what a sample of each is expected to bring, from its errors, its share of the questions and what earlier samples brought. uniform: all alike, to compare with.',
    ),
  requests: count.default(10_000).describe('Requests to the teacher in a round.'),
  nearestImages: count.default(1000).describe("Images nearest to a bad case's image to draw from."),
  maximumBoxes: count.default(10).describe('Images with more boxes are skipped.'),
  embeddings: z
    .strictObject({
      model: z.string().min(1).describe('Directory of a CLIP model in Hugging Face format.'),
    })
    .optional()
    .describe("What images are compared by. Default: what the base model's own vision side sees."),
  embeddingShards: count
    .default(1)
    .describe('Parts that the images are embedded in, on as many GPU workers as there are.'),
  inContextExamples: z.int().nonnegative().default(2).describe('Bad cases shown to the teacher in a request.'),
});

const answers = z.int().nonnegative().max(20);
const share = z.number().min(0).max(1);

/** How often the teacher is asked its own questions again; by default not at all. */
export const verifySchema = z.strictObject({
  blindAnswers: answers
    .default(0)
    .describe('How often the teacher answers each new question without seeing its own answer. 0: not at all.'),
  agreement: share.default(0.6).describe('A sample is kept when at least this share of the blind answers agrees.'),
  languageOnlyAnswers: answers
    .default(0)
    .describe('How often it answers without any knowledge of the image. 0: not at all.'),
  languageOnlyRight: share
    .default(0.75)
    .describe('From this share of correct answers on, a question needs no image. Guessing gives 0.25.'),
  keepNeedsNoImage: share.default(0).describe('Share of the questions that need no image to keep; 0 drops them.'),
  temperature: z.number().min(0).max(2).default(0.7).describe('Of these answers.'),
  blindPrompt: z.string().min(1).default('configs/prompts/verify-v1.md').describe('Prompt file of blindAnswers.'),
  languageOnlyPrompt: z
    .string()
    .min(1)
    .default('configs/prompts/verify-without-picture-v1.md')
    .describe('Prompt file of languageOnlyAnswers.'),
});

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
