import { z } from 'zod';

const answers = z.int().nonnegative().max(20);
const share = z.number().min(0).max(1);

/** What the teacher is asked again about its own samples. Nothing, unless a number of answers is set. */
export const verifySchema = z.strictObject({
  blindAnswers: answers
    .default(0)
    .describe('How often the teacher answers each new question without seeing its own answer. 0: not at all.'),
  agreement: share.default(0.6).describe('A sample is kept when at least this share of the blind answers agrees.'),
  languageOnlyAnswers: answers.default(0).describe('How often it answers knowing nothing of the image. 0: not at all.'),
  languageOnlyRight: share
    .default(0.75)
    .describe('From this share of right answers on, a question needs no image. Guessing gives 0.25.'),
  keepNeedsNoImage: share.default(0).describe('Share of the questions that need no image to keep; 0 drops them.'),
  temperature: z.number().min(0).max(2).default(0.7).describe('Of these answers.'),
  blindPrompt: z.string().min(1).default('configs/prompts/verify-v1.md').describe('Prompt file of blindAnswers.'),
  languageOnlyPrompt: z
    .string()
    .min(1)
    .default('configs/prompts/verify-without-picture-v1.md')
    .describe('Prompt file of languageOnlyAnswers.'),
});
