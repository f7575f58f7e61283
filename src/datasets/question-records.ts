/**
 * Multiple-choice questions to train on, in the fields that A-OKVQA and generated samples share. Records are taken and left
 * out as by the reference system's class for both (`AOKVQADataset`, `minigpt4/datasets/datasets/vqa_dataset.py`).
 */

import { z } from 'zod';
import { imageIdSchema } from '../core/images/image-id.ts';
import { streamRecords } from './stream-records.ts';

/** The reference system has letters for seven. */
const MOST_CHOICES = 7;

export const choicesSchema = z.array(z.string()).min(1).max(MOST_CHOICES);

/** What training needs of a record; other fields don't matter. */
export const trainingQuestionSchema = z
  .object({
    image_id: imageIdSchema.describe(
      "COCO's, or a path below the folder of images; a record with digits as a text is left out",
    ),
    question: z.string(),
    choices: choicesSchema.describe('A record with an empty one is left out'),
    correct_choice_idx: z.int().describe('Place of the correct choice, from 0'),
    rationales: z
      .array(z.string())
      .describe('The longest is the explanation of QMAE; a record whose first one contains `description` is left out'),
    question_type: z.string().optional(),
  })
  .superRefine(checkCorrectChoice);

type TrainingQuestion = z.output<typeof trainingQuestionSchema>;

const {
  choices: { element: choice },
  correct_choice_idx,
  ...otherFields
} = { ...trainingQuestionSchema.shape, choices: choicesSchema };

/** The fields of a generated question, which may have a short answer in place of choices. */
export const generatedFields = {
  ...otherFields,
  choices: z
    .array(choice)
    .max(MOST_CHOICES)
    .describe('Empty for a short answer; a record with an empty one is left out'),
  correct_choice_idx: correct_choice_idx
    .optional()
    .describe('Place of the correct choice, from 0; required with choices'),
  direct_answers: z.array(z.string()).min(1).optional().describe('The short answer, in place of choices'),
  instruction: z.string().optional().describe('What the question with a short answer ends with'),
};

/** Reports choices without a correct one, and neither choices nor a short answer. */
export function checkGenerated(
  {
    choices,
    correct_choice_idx,
    direct_answers,
  }: { choices: readonly string[]; correct_choice_idx?: number | undefined; direct_answers?: unknown },
  context: z.RefinementCtx,
): void {
  const issue = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
  if (choices.length === 0 && direct_answers === undefined)
    issue('choices', 'is empty, and there are no direct_answers');
  if (choices.length === 0) return;
  if (correct_choice_idx === undefined) issue('correct_choice_idx', 'is missing');
  else checkCorrectChoice({ choices, correct_choice_idx }, context);
}

/** A generated question, as far as training needs it. */
export const generatedQuestionSchema = z.object(generatedFields).superRefine(checkGenerated);

/** Reports a correct choice that is not among the choices; zod calls it for records that are valid otherwise. */
export function checkCorrectChoice(
  record: { choices: readonly string[]; correct_choice_idx: number },
  context: z.RefinementCtx,
): void {
  if (record.correct_choice_idx >= 0 && record.correct_choice_idx < record.choices.length) return;
  context.addIssue({
    code: 'custom',
    path: ['correct_choice_idx'],
    message: `is ${record.correct_choice_idx}, but the choices are 0 to ${record.choices.length - 1}`,
  });
}

/** Why a record is not trained on. */
export type LeftOutReason =
  | 'a choice is empty'
  | 'the explanation mentions a description'
  | 'the image id is a text of digits';

/** A record that is trained on, and its place in the file. */
interface KeptQuestion<T> {
  index: number;
  record: T;
}

/**
 * Reads the records of a file that are trained on, one after another; the file may be larger than memory.
 *
 * @param onLeftOut called for each record that is left out
 * @throws InputError naming line or field of a record that the reference system can't read either, such as
 *   `[12].correct_choice_idx` when it is out of range.
 */
export async function* streamQuestions<T extends Pick<TrainingQuestion, 'image_id' | 'choices' | 'rationales'>>(
  file: string,
  schema: z.ZodType<T>,
  onLeftOut: (reason: LeftOutReason) => void = () => undefined,
): AsyncGenerator<KeptQuestion<T>> {
  for await (const batch of streamRecords(file, { '': schema })) {
    for (const { index, value } of batch) {
      const reason = reasonToLeaveOut(value);
      if (reason === undefined) yield { index, record: value };
      else onLeftOut(reason);
    }
  }
}

function reasonToLeaveOut({
  image_id,
  choices,
  rationales,
}: Pick<TrainingQuestion, 'image_id' | 'choices' | 'rationales'>): LeftOutReason | undefined {
  if (choices.includes('')) return 'a choice is empty';
  if (rationales[0]?.includes('description')) return 'the explanation mentions a description';
  return typeof image_id === 'string' && /^\d+$/.test(image_id) ? 'the image id is a text of digits' : undefined;
}
