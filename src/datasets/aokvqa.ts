import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../core/input-error.ts';
import { readJson } from '../core/read-json.ts';
import { checkCorrectChoice, choicesSchema } from './choices-schema.ts';

const questionSchema = z
  .object({
    split: z.string(),
    image_id: z.int().nonnegative(),
    question_id: z.string().min(1),
    question: z.string(),
    choices: choicesSchema,
    correct_choice_idx: z.int(),
    direct_answers: z.array(z.string()),
    difficult_direct_answer: z.boolean(),
    rationales: z.array(z.string()),
    /** Only in classified files. */
    question_type: z.string().optional(),
  })
  .superRefine(checkCorrectChoice);

/** One question, with A-OKVQA's own field names (https://github.com/allenai/aokvqa). */
export type AokvqaQuestion = z.output<typeof questionSchema>;

/**
 * Reads an A-OKVQA file that has answers, such as `aokvqa_v1p0_train.json`, or the reference system's
 * `aokvqa_v1p0_val_classified.json`, whose records have a `question_type` too.
 *
 * @throws InputError naming line or field, such as `[12].correct_choice_idx` when it is out of range.
 */
export async function readAokvqa(file: string): Promise<AokvqaQuestion[]> {
  const questions = await readJson(file, z.array(questionSchema));
  const places = new Map<string, number>();
  for (const [index, { question_id }] of questions.entries()) {
    const earlier = places.get(question_id);
    // Losses and answers are joined by id: a second question of the same id would take the first one's.
    if (earlier !== undefined) {
      throw new InputError({
        file,
        field: `[${index}].question_id`,
        problem: `'${question_id}' is the id of [${earlier}] too`,
        remedy: 'Give every question its own id',
      });
    }
    places.set(question_id, index);
  }
  return questions;
}

/** The image file of a COCO 2017 image id: twelve digits. */
export function aokvqaImagePath(imageFolder: string, imageId: number): string {
  return join(imageFolder, `${String(imageId).padStart(12, '0')}.jpg`);
}
