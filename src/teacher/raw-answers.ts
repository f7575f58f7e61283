import { z } from 'zod';
import { readJsonLines } from '../core/read-json.ts';
import type { TeacherAnswer } from './teacher.ts';

/** What every request to the teacher has, whatever it asks for; it goes into the answer's line. */
export interface TeacherRequest {
  /** A hash of all that the answer depends on. */
  id: string;
  image_id: number;
  question_type: string;
  prompt_version: string;
  /** Sent to the teacher's API. */
  seed: number;
}

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
  /** SHA-256 of all that was sent. */
  request_hash: z.string().optional(),
  /** Why the teacher would not answer; the text is empty then. */
  refusal: z.string().optional(),
  /** In-context examples left out because the prompt was too long for the model. */
  examples_dropped: z.number().int().optional(),
});

/** One line of `gptvqa_result.jsonl`. The first three keys after the id are the reference system's. */
export type RawAnswer = z.output<typeof rawAnswer>;

/** The line that an answer makes. */
export function rawAnswerOf(
  request: TeacherRequest,
  answer: TeacherAnswer & { examplesDropped?: number | undefined },
): RawAnswer {
  return {
    request_id: request.id,
    image_id: request.image_id,
    raw_instructions: answer.text,
    question_type: request.question_type,
    model: answer.model,
    usage: answer.usage,
    prompt_version: request.prompt_version,
    seed: request.seed,
    request_hash: answer.requestHash,
    ...(answer.refusal === undefined ? {} : { refusal: answer.refusal }),
    ...(answer.examplesDropped ? { examples_dropped: answer.examplesDropped } : {}),
  };
}

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
