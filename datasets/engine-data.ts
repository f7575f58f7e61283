import { z } from 'zod';
import { readJson } from '../store/read-json.ts';
import { checkCorrectChoice, choicesSchema } from './choices-schema.ts';

/** One generated sample, with the field names of the reference system's `DataEngine_round<k>_data.json`. */
export const engineSampleSchema = z
  .object({
    image_id: z.int().nonnegative(),
    /** The teacher's answer as it came. */
    raw_instructions: z.string(),
    question_type: z.string(),
    question: z.string(),
    choices: choicesSchema,
    correct_choice_idx: z.int(),
    rationales: z.array(z.string()),
  })
  .superRefine(checkCorrectChoice);

export type EngineSample = z.output<typeof engineSampleSchema>;

/**
 * Reads a round's generated samples.
 *
 * @throws InputError naming line or field, such as `[12].correct_choice_idx` when it is out of range.
 */
export async function readEngineData(file: string): Promise<EngineSample[]> {
  return readJson(file, z.array(engineSampleSchema));
}
