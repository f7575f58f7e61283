import { z } from 'zod';
import { readJsonLines } from '../store/read-json.ts';

/** One line of `gptvqa_result.jsonl`: what the teacher answered, before anything is made of it. */
export const rawAnswer = z.object({
  request_id: z.string(),
  image_id: z.number().int(),
  raw_instructions: z.string(),
  question_type: z.string(),
  model: z.string(),
  usage: z.object({ promptTokens: z.number(), completionTokens: z.number(), totalTokens: z.number() }),
  prompt_version: z.string(),
  seed: z.number().int(),
});

/** One line of `gptvqa_result.jsonl`. The first three keys after the id are the reference system's. */
export type RawAnswer = z.output<typeof rawAnswer>;

/**
 * Reads the raw answers of a round. Calls in parallel end in any order, so with `requests` given the answers
 * come in the order of the requests (and those to other requests are left out): what is made of them is then
 * the same every time.
 *
 * @throws InputError with the line and field that does not fit.
 */
export async function readRawAnswers(file: string, requests?: readonly { id: string }[]): Promise<RawAnswer[]> {
  const answers = await readJsonLines(file, rawAnswer, { tolerateTruncatedLastLine: true });
  if (!requests) return answers;
  const answerOf = new Map(answers.map((answer) => [answer.request_id, answer]));
  return requests.flatMap(({ id }) => answerOf.get(id) ?? []);
}
