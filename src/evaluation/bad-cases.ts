import { z } from 'zod';
import { imageIdSchema } from '../core/images/image-id.ts';
import { readJson } from '../core/read-json.ts';
import { countBy, valueIn } from '../core/records.ts';
import { choiceText, letterOf } from '../datasets/question-text.ts';

const badCaseFields = z.object({
  idx: z.string().describe("The question's id, by which the reference system's scorer finds it"),
  question: z.string(),
  choices: z.array(z.string()).describe('Empty for a question with a short answer'),
  correct_choice_idx: z.number().int().nonnegative().optional().describe('Required with choices'),
  direct_answers: z.array(z.string()).describe('The right ones, of a question with a short answer'),
  difficult_direct_answer: z.boolean(),
  model_answer: z.string().describe('The words of the choice, or what the model wrote'),
  question_type: z.string(),
  prompt: z.string().describe('The question as the teacher sees it among the in-context examples'),
  image_path: z.string().describe('With the folder of images before it'),
  image_id: imageIdSchema.optional().describe("COCO's, or a path"),
  score: z.number().min(0).max(1).optional().describe('Of a short answer, by the metric'),
});

/** The fields that show whether the model's answer is right. */
export interface ChosenAnswer {
  choices: readonly string[];
  model_choice_idx?: number | undefined;
  correct_choice_idx?: number | undefined;
  score?: number | undefined;
}

function requireAnswer(record: ChosenAnswer, context: z.RefinementCtx, fields: readonly (keyof ChosenAnswer)[]): void {
  const missing = fields.find((field) => record[field] === undefined);
  if (missing !== undefined) context.addIssue({ code: 'custom', path: [missing], message: 'is missing' });
}

/** A ranked choice is there. One that was written may not be found: the answer is wrong then. */
function answerFields({ choices, losses }: ChosenAnswer & { losses: readonly number[] }): (keyof ChosenAnswer)[] {
  if (choices.length === 0) return ['score'];
  return losses.length > 0 ? ['correct_choice_idx', 'model_choice_idx'] : ['correct_choice_idx'];
}

export const badCaseSchema = badCaseFields.superRefine((record, context) =>
  requireAnswer(record, context, record.choices.length > 0 ? ['correct_choice_idx'] : ['score']),
);

export const evaluatedQuestionSchema = badCaseFields
  .extend({
    question_id: z.string(),
    image_id: imageIdSchema,
    model_choice_idx: z
      .number()
      .int()
      .nonnegative()
      .optional()
      .describe('None where no choice was found in what was written'),
    losses: z.array(z.number()).describe('The mean loss of each choice'),
  })
  .superRefine((record, context) => requireAnswer(record, context, answerFields(record)));

/** One record of `aokvqa_eval.json`: a question with the model's answer, and all that a bad case has. */
export type EvaluatedQuestion = z.output<typeof evaluatedQuestionSchema>;

/** A question that the model answered wrongly, as in `bad_case_aokvqa_classified.json`. */
export type BadCase = z.output<typeof badCaseSchema>;

/** Must be raised whenever other answers count as right: rounds are then scored and compared again. */
export const scoringVersion = 2;

/** From this score on a short answer counts as right, where an answer is either right or wrong. */
const rightFrom = 0.5;

/**
 * Whether an answer is right. A chosen one is if its words are those of the right choice, as A-OKVQA's official script compares
 * them: some questions list the right choice twice. A short answer is from a score of 0.5 on.
 */
export function isRight({ choices, model_choice_idx, correct_choice_idx, score = 0 }: ChosenAnswer): boolean {
  if (choices.length === 0) return isRightScore(score);
  if (model_choice_idx === undefined || correct_choice_idx === undefined) return false;
  return choices[model_choice_idx] === choices[correct_choice_idx];
}

/** Whether the score of a short answer, 0 to 1, is that of a right one. */
export function isRightScore(score: number): boolean {
  return score >= rightFrom;
}

/** Question type → the bad cases of that type. */
export type BadCases = Record<string, BadCase[]>;

/** Question type → share of wrong answers, 0 to 1 (`weight.json`). */
export type Weights = Record<string, number>;

/** Reads `aokvqa_eval.json`. @throws InputError naming the record and field that does not fit. */
export function readEvaluatedQuestions(file: string): Promise<EvaluatedQuestion[]> {
  return readJson(file, z.array(evaluatedQuestionSchema));
}

/** Reads `bad_case_aokvqa_classified.json`. @throws InputError naming the record and field that does not fit. */
export function readBadCases(file: string): Promise<BadCases> {
  return readJson(file, z.record(z.string(), z.array(badCaseSchema)));
}

/** Reads `weight.json`. @throws InputError for a weight that is not within 0 and 1. */
export function readWeights(file: string): Promise<Weights> {
  return readJson(file, z.record(z.string(), z.number().min(0).max(1)));
}

/**
 * A bad case as the teacher sees it among the in-context examples. The wording of one with choices is the reference system's
 * file format (`bad_case_aokvqa_classified.json`), spaces included; one with a short answer also shows the model's own.
 */
export function badCasePrompt(
  question: Pick<BadCase, 'question' | 'choices' | 'correct_choice_idx' | 'question_type'> &
    Partial<Pick<BadCase, 'direct_answers' | 'model_answer'>>,
): string {
  const { choices, correct_choice_idx: correct, direct_answers = [], model_answer = '' } = question;
  const type = `Question type: ${question.question_type.replaceAll('_', ' ')}`;
  if (correct === undefined) {
    const wrong = shown(model_answer) || '(none)';
    const right = rightAnswers(direct_answers);
    return [`Question: ${shown(question.question)}`, `Answer: ${right}`, `Wrong answer: ${wrong}`, type].join('\n');
  }
  return [
    `Question: ${question.question}`,
    `Choices: ${choices.map((_, index) => choiceText(choices, index)).join(' ')}`,
    `Answer: The answer is (${letterOf(correct)}): ${choices[correct]}.`,
    type,
  ].join('\n');
}

/** Up to three, those of most people first. */
function rightAnswers(answers: readonly string[]): string {
  const counts = Object.entries(countBy(answers, (answer) => answer)).sort(([, left], [, right]) => right - left);
  const [first = '', ...others] = counts.slice(0, 3).map(([answer]) => shown(answer));
  return others.length === 0 ? first : `${first} (or: ${others.join('; ')})`;
}

const mostCharacters = 500;

/** On one line, and not too long: a model may write anything. */
function shown(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > mostCharacters ? `${line.slice(0, mostCharacters)} …` : line;
}

/**
 * Collects the questions that the model answered wrongly, by question type: the content of
 * `bad_case_aokvqa_classified.json`. Every type of the records is a key, with an empty list where all answers are
 * correct; types are in alphabetical order, bad cases in the order of the records.
 */
export function collectBadCases(records: readonly EvaluatedQuestion[]): BadCases {
  const types = [...new Set(records.map((record) => record.question_type))].sort();
  const badCases: BadCases = Object.fromEntries(types.map((type) => [type, []]));
  for (const record of records) {
    if (isRight(record)) continue;
    valueIn(badCases, record.question_type)?.push(badCaseSchema.parse(record));
  }
  return badCases;
}

/**
 * The share of wrong answers for each question type, to three decimals: the content of `weight.json`, by which
 * Adaptive Bad-case Sampling draws types. Types are in alphabetical order.
 */
export function errorWeights(records: readonly (Pick<EvaluatedQuestion, 'question_type'> & ChosenAnswer)[]): Weights {
  const asked = new Map<string, number>();
  const wrong = new Map<string, number>();
  for (const record of records) {
    const type = record.question_type;
    asked.set(type, (asked.get(type) ?? 0) + 1);
    if (!isRight(record)) wrong.set(type, (wrong.get(type) ?? 0) + 1);
  }
  const types = [...asked.keys()].sort();
  return Object.fromEntries(types.map((type) => [type, share(wrong.get(type) ?? 0, asked.get(type) as number)]));
}

/**
 * To three decimals as Python's `round(share, 3)`, with which the reference system writes weights: by the exact value, and a
 * tie (an odd number of sixteenths, such as 0.0625) to the even digit.
 */
function share(wrong: number, asked: number): number {
  const exact = wrong / asked;
  const isTie = (exact * 16) % 2 === 1;
  if (!isTie) return Number(exact.toFixed(3));
  const below = Math.floor(exact * 1000);
  return (below % 2 === 0 ? below : below + 1) / 1000;
}
