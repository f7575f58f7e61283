/** The lines of the files that a job reads and writes, beside those of src/datasets/ (`TrainingSample`). */
import { z } from 'zod';

const positiveInteger = z.number().int().positive();
const naturalNumber = z.number().int().nonnegative();

/** A line of an evaluate job's questions: a question as it is put to the model, whatever benchmark it comes from. */
export const evaluationQuestionSchema = z.strictObject({
  question_id: z.string(),
  /** Absolute path; without one the question is put in words alone. */
  image: z.string().optional(),
  /** Absolute paths of the images after it; all stand before the words, in this order. */
  laterImages: z.array(z.string()).min(1).optional(),
  /** The question and the choices it lists; the trainer puts the words of the model's family around it. */
  question: z.string(),
  /** What every answer starts with, such as `The answer is`; it counts for none of the losses. */
  answerStart: z.string(),
  /** The answers to rank, each whole: `The answer is (A) cat`. None where the answer is only written. */
  answers: z.array(z.string()),
  /** Has the model write an answer too, to a question that may be another than the one it is ranked by. */
  generate: z
    .strictObject({
      question: z.string(),
      maximumNewTokens: positiveInteger,
      /** The answer starts right behind the last word of the family's turn, without the blank that follows it. */
      trimsTurn: z.boolean().optional(),
    })
    .optional(),
});

/** The images of a question. */
export interface ShownImages {
  image?: string | undefined;
  laterImages?: readonly string[] | undefined;
}

/** Their files, in the order in which they are shown. */
export function imagesOfQuestion({ image, laterImages = [] }: ShownImages): string[] {
  return image === undefined ? [] : [image, ...laterImages];
}

/** A line of a finetune's validation questions: what each of its answers scores, 0 to 1. */
export const validationQuestionSchema = evaluationQuestionSchema.extend({ scores: z.array(z.number()) });

/** A line of an evaluate job's output: the mean loss of each answer, in their order, and the answer that was written. */
export const evaluationAnswerSchema = z.object({
  question_id: z.string(),
  losses: z.array(z.number()),
  /** What the model wrote, where it had to. */
  text: z.string().optional(),
  /** From an endpoint without losses: the place of the choice that the model wrote, null where it wrote none. */
  choice: z.int().nonnegative().nullable().optional(),
  /** From results of another program: the score that it gave, 0 to 1. */
  score: z.number().min(0).max(1).optional(),
});

/** A line of a measure job's output. */
export const measuredSampleSchema = z.strictObject({
  /** All of them, those of the image among them. */
  tokens: naturalNumber,
  /** The limit of a finetune that it is beyond. */
  limit: z.enum(['maximumTokens', 'maximumSequence']).optional(),
  /** Why it can't be trained on. */
  problem: z.string().optional(),
});

export type MeasuredSample = z.output<typeof measuredSampleSchema>;
export type EvaluationQuestion = z.output<typeof evaluationQuestionSchema>;
export type ValidationQuestion = z.output<typeof validationQuestionSchema>;
export type EvaluationAnswer = z.output<typeof evaluationAnswerSchema>;

/** A line of `validation-loss.jsonl`. */
export const validationLossSchema = z.object({
  /** Steps done. */
  step: positiveInteger,
  loss: z.number(),
});
export type ValidationLossRecord = z.output<typeof validationLossSchema>;
