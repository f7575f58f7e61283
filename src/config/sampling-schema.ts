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
