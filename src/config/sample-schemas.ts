import { z } from 'zod';
import { pathIn } from './config-paths.ts';

const count = z.int().positive();
const share = z.number().min(0).max(1);

const difficultySchema = z
  .strictObject({
    from: share
      .default(0.3)
      .describe('Samples whose right choice the model of the last good round is less likely to choose are too hard.'),
    to: share.default(0.8).describe('Those whose right choice it is more likely to choose are too easy.'),
    candidates: count
      .max(20)
      .default(3)
      .describe('Requests to the teacher for each of sampling.requests. All are paid for; one of so many is kept.'),
  })
  .refine(({ from, to }) => from < to, { path: ['to'], message: 'must be more than from' });

/** Adaptive Bad-case Sampling: which samples the teacher is asked for. */
export const samplingSchema = z
  .strictObject({
    strategy: z
      .enum(['adaptive', 'difficulty-window', 'expected-gain', 'high-loss', 'uniform'])
      .default('adaptive')
      .describe(
        'How question types are drawn. adaptive: by error rate. difficulty-window: likewise, and of several times as many new samples those are kept that the model of the last good round finds neither easy nor hopeless (difficulty). expected-gain: by the gain expected of one more sample, from error rate, share of the questions and the gains of earlier samples. high-loss: by the mean loss of the right choices, and bad cases of a type by theirs. uniform: all equally, as a baseline, also those with fewer bad cases than inContextExamples, which the others never draw.',
      ),
    requests: count
      .default(10_000)
      .describe(
        'Requests to the teacher in a round; with strategy: difficulty-window the samples that are kept at most.',
      ),
    nearestImages: count
      .default(1000)
      .describe("Number of images nearest to a bad case's image that one is drawn from."),
    images: z
      .enum(['near', 'random'])
      .optional()
      .describe(
        "How images are drawn. near: from those nearest to a bad case's image, while any is free. random: from all. Default: in turn, as in the reference system.",
      ),
    maximumBoxes: count.default(10).describe('Images with more boxes are skipped.'),
    pool: z
      .enum(['described', 'all'])
      .default('described')
      .describe(
        'Images that new samples are about. described: those with captions and boxes. all: those without too, as in the reference; images with too many boxes count among the nearest, and the whole draw is repeated when one is drawn.',
      ),
    embeddings: z
      .strictObject({
        model: pathIn('models').describe('Directory of a CLIP model in Hugging Face format.'),
      })
      .optional()
      .describe("Model whose embeddings images are compared by. Default: the base model's vision encoder."),
    embeddingShards: count
      .max(1000)
      .default(1)
      .describe('Shards of the images, embedded in parallel by the GPU workers.'),
    inContextExamples: z
      .int()
      .nonnegative()
      .default(2)
      .describe('Bad cases shown to the teacher in a request. Question types with fewer are drawn by uniform only.'),
    difficulty: difficultySchema
      .optional()
      .describe(
        'With strategy: difficulty-window, how likely the model of the last good round may be to choose the right choice of a new sample that is kept. Default: 0.3 to 0.8, of 3 candidates.',
      ),
  })
  .refine(({ strategy, difficulty }) => difficulty === undefined || strategy === 'difficulty-window', {
    path: ['difficulty'],
    message: 'requires sampling.strategy: difficulty-window',
  });

type Sampling = z.output<typeof samplingSchema>;
/** How difficult the samples of a round have to be for the model. */
export type Difficulty = z.output<typeof difficultySchema>;

/** Undefined where the model is not asked how difficult samples are. */
export function difficultyOf({
  strategy,
  difficulty,
}: Pick<Sampling, 'strategy' | 'difficulty'>): Difficulty | undefined {
  return strategy === 'difficulty-window' ? (difficulty ?? difficultySchema.parse({})) : undefined;
}

/** Requests to the teacher in a round: all candidates, where most are not kept. */
export function requestsOfRound(sampling: Sampling): number {
  return sampling.requests * (difficultyOf(sampling)?.candidates ?? 1);
}

const answers = z.int().nonnegative().max(20);

/** How the teacher answers its own new questions again, as a check. Off unless a number of answers is set. */
export const verifySchema = z.strictObject({
  blindAnswers: answers
    .default(0)
    .describe('How many times the teacher answers each new question without its first answer. 0: off.'),
  agreement: share.default(0.6).describe('A sample is kept when at least this share of the blind answers agrees.'),
  languageOnlyAnswers: answers
    .default(0)
    .describe('How many times it answers without any facts about the image. 0: off.'),
  languageOnlyRight: share
    .default(0.75)
    .describe('A question with at least this share of correct answers needs no image. Guessing gives 0.25.'),
  keepNeedsNoImage: share.default(0).describe('Share of the questions that need no image which is kept; 0 drops all.'),
  temperature: z.number().min(0).max(2).default(0.7).describe('Sampling temperature of these answers.'),
  blindPrompt: pathIn('configs')
    .optional()
    .describe(
      'Prompt file of blindAnswers. Default: configs/prompts/verify-v1.md, with teacher.attachImage verify-with-image-v1.md, with data.descriptions.source: image verify-from-image-v1.md.',
    ),
  languageOnlyPrompt: pathIn('configs')
    .default('configs/prompts/verify-without-picture-v1.md')
    .describe('Prompt file of languageOnlyAnswers.'),
  shortBlindPrompt: pathIn('configs')
    .optional()
    .describe(
      'The same for questions with a short answer. Default: configs/prompts/verify-short-v1.md, with teacher.attachImage verify-short-with-image-v1.md, with data.descriptions.source: image verify-short-from-image-v1.md.',
    ),
  shortLanguageOnlyPrompt: pathIn('configs')
    .default('configs/prompts/verify-short-without-image-v1.md')
    .describe('Prompt file of languageOnlyAnswers to questions with a short answer.'),
});

const similarity = z.number().gt(0).max(1);

/** Which of the teacher's answers are kept, in addition to the reference system's filters. */
export const refineSchema = z.strictObject({
  nearDuplicateSimilarity: similarity
    .default(0.85)
    .describe(
      'Two questions about an image with at least this share of words and word pairs in common are duplicates.',
    ),
  maximumAlike: z
    .int()
    .positive()
    .optional()
    .describe(
      'Most questions of all rounds, about any image, that may be near duplicates of one another, choices included. Default: no limit.',
    ),
  evaluationSimilarity: z
    .union([similarity, z.literal('off')])
    .default(0.85)
    .describe('A question with its choices this similar to an evaluation question is a leak. off: no comparison.'),
  review: z
    .enum(['manual'])
    .optional()
    .describe(
      'manual: nothing is appended before a person has decided about every sample (`dataengine data review`); a round waits for it. Default: it does not, and what was decided all the same counts.',
    ),
});
