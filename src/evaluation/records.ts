import { z } from 'zod';
import { readJson } from '../core/read-json.ts';

const evaluatedQuestion = z.object({
  question_id: z.string(),
  image_id: z.number().int(),
  question: z.string(),
  choices: z.array(z.string()),
  correct_choice_idx: z.number().int().nonnegative(),
  direct_answers: z.array(z.string()),
  difficult_direct_answer: z.boolean(),
  model_answer: z.string(),
  model_choice_idx: z.number().int().nonnegative(),
  losses: z.array(z.number()),
  question_type: z.string(),
});

const badCase = z.object({
  idx: z.string(),
  question: z.string(),
  choices: z.array(z.string()),
  correct_choice_idx: z.number().int().nonnegative(),
  direct_answers: z.array(z.string()),
  difficult_direct_answer: z.boolean(),
  model_answer: z.string(),
  question_type: z.string(),
  prompt: z.string(),
  image_path: z.string(),
});

/** One record of `aokvqa_eval.json`: an official A-OKVQA question with the model's answer. */
export type EvaluatedQuestion = z.output<typeof evaluatedQuestion>;

/** A question that the model answered wrongly, as in `bad_case_aokvqa_classified.json`. */
export type BadCase = z.output<typeof badCase>;

/** Question type → the bad cases of that type. */
export type BadCases = Record<string, BadCase[]>;

/** Question type → share of wrong answers, 0 to 1 (`weight.json`). */
export type Weights = Record<string, number>;

/** Reads `aokvqa_eval.json`. @throws InputError naming the record and field that does not fit. */
export function readEvaluatedQuestions(file: string): Promise<EvaluatedQuestion[]> {
  return readJson(file, z.array(evaluatedQuestion));
}

/** Reads `bad_case_aokvqa_classified.json`. @throws InputError naming the record and field that does not fit. */
export function readBadCases(file: string): Promise<BadCases> {
  return readJson(file, z.record(z.string(), z.array(badCase)));
}

/** Reads `weight.json`. @throws InputError for a weight that is not within 0 and 1. */
export function readWeights(file: string): Promise<Weights> {
  return readJson(file, z.record(z.string(), z.number().min(0).max(1)));
}
