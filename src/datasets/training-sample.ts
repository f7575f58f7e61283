import { z } from 'zod';

/** One thing to learn from, whatever dataset it comes from. */
export const trainingSampleSchema = z.object({
  /** Unique within its source. */
  id: z.string(),
  /** `aokvqa`, `cc_sbu_align`, `round1`, ... */
  source: z.string(),
  /** Absolute path. */
  image: z.string(),
  /** What the model reads. */
  prompt: z.string(),
  /** What it should write, without the end mark; the loss is on this and on the end mark. */
  answer: z.string(),
  questionType: z.string().optional(),
});

export type TrainingSample = z.output<typeof trainingSampleSchema>;
