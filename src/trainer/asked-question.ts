/**
 * A question as it is put to the model, whatever benchmark it comes from: what the trainer reads, one JSON object a
 * line, and what it answers.
 */
import { z } from 'zod';

export const askedQuestionSchema = z.strictObject({
  question_id: z.string(),
  /** Absolute path; without one the question is asked in words alone. */
  image: z.string().optional(),
  /** The question and the choices it lists; the words of the model's family go around it (src/datasets/prompt-format.ts). */
  question: z.string(),
  /** What every answer begins with, such as `The answer is`; it counts for none of the losses. */
  answerStart: z.string(),
  /** The answers to rank, each whole: `The answer is (A) cat`. None where the answer is only written. */
  answers: z.array(z.string()),
  /** Has the model write an answer too, to a question that may be another than the one it is ranked by. */
  generate: z.strictObject({ question: z.string(), maximumNewTokens: z.int().positive() }).optional(),
});

export type AskedQuestion = z.output<typeof askedQuestionSchema>;

export const answerLossesSchema = z.object({
  question_id: z.string(),
  losses: z.array(z.number()),
  /** What the model wrote, where it was asked to. */
  text: z.string().optional(),
});

/** What the model found for one question: the mean loss of each answer, in their order, and the answer it wrote. */
export type AnswerLosses = z.output<typeof answerLossesSchema>;
