import { z } from 'zod';
import { readJsonLines } from '../core/read-json.ts';

/** The schema of a line of `requests.jsonl`. */
export const generationRequest = z.object({
  id: z.string(),
  image_id: z.number().int(),
  question_type: z.string(),
  examples: z.array(z.object({ idx: z.string(), prompt: z.string() })),
  source: z.enum(['nearest', 'random']),
  prompt_version: z.string(),
  seed: z.number().int(),
});

/**
 * One question to ask of the teacher: an image, a type, and bad cases of that type as in-context examples.
 * `id` is a hash of all the rest; `source` says how the image was drawn; `seed` is handed to the teacher's API.
 */
export type GenerationRequest = z.output<typeof generationRequest>;

/** What every request to the teacher has, whatever it asks for; it goes into the answer's line. */
export type TeacherRequest = Pick<GenerationRequest, 'id' | 'image_id' | 'question_type' | 'prompt_version' | 'seed'>;

/** Reads `requests.jsonl`. @throws InputError with the line and field that does not fit. */
export function readRequests(file: string): Promise<GenerationRequest[]> {
  return readJsonLines(file, generationRequest);
}
