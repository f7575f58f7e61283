import { setMaxListeners } from 'node:events';
import limitConcurrency from 'p-limit';
import { type JsonLinesAppender, openJsonLines } from '../store/append-json-lines.ts';
import type { GenerationRequest } from './generation-request.ts';
import { type RawAnswer, readRawAnswers } from './raw-answers.ts';
import type { TeacherAnswer } from './teacher.ts';

/** How far a round's generation is; tokens are those of all answers in the file. */
export interface GenerationProgress {
  answered: number;
  total: number;
  promptTokens: number;
  completionTokens: number;
}

/** What `generateAnswers` did. */
export interface GenerationResult extends GenerationProgress {
  /** How many of the answers were in the file before. */
  alreadyAnswered: number;
}

/**
 * Asks the teacher for each request that the file has no answer to, and adds each answer to the file as soon as
 * it is there. Interrupted at any moment, it loses only answers on their way, and asks for no answer in the
 * file again. One process at a time may write a file.
 *
 * The first error stops it: no new request starts, those on their way are waited for and kept.
 *
 * @param input.ask asks once; its signal is aborted with the given one
 * @param input.concurrency requests on their way at the same time
 * @throws what `ask` threw first; InputError for a broken line inside the file; StorageError for a full disk;
 *   the signal's reason when it was aborted.
 */
export async function generateAnswers(input: {
  requests: readonly GenerationRequest[];
  resultFile: string;
  ask: (request: GenerationRequest, signal: AbortSignal) => Promise<TeacherAnswer>;
  concurrency: number;
  onProgress?: (progress: GenerationProgress) => void;
  signal?: AbortSignal | undefined;
}): Promise<GenerationResult> {
  const { resultFile } = input;
  const signal = AbortSignal.any(input.signal ? [input.signal] : []);
  signal.throwIfAborted();
  // Each request on its way listens to it.
  setMaxListeners(0, signal);
  const requests = [...new Map(input.requests.map((request) => [request.id, request])).values()];
  // Opening cuts off a line that was not finished, so it comes before reading.
  const results = await openJsonLines(resultFile);
  try {
    return await answerMissing({
      ...input,
      signal,
      requests,
      results,
      earlier: await readRawAnswers(resultFile, requests),
    });
  } finally {
    await results.close();
  }
}

async function answerMissing(input: {
  requests: readonly GenerationRequest[];
  earlier: readonly RawAnswer[];
  results: JsonLinesAppender;
  ask: (request: GenerationRequest, signal: AbortSignal) => Promise<TeacherAnswer>;
  concurrency: number;
  onProgress?: (progress: GenerationProgress) => void;
  signal: AbortSignal;
}): Promise<GenerationResult> {
  const { requests, earlier, results, ask, onProgress, signal } = input;
  const progress: GenerationProgress = { answered: 0, total: requests.length, promptTokens: 0, completionTokens: 0 };
  const count = (answer: RawAnswer) => {
    progress.answered += 1;
    progress.promptTokens += answer.usage.promptTokens;
    progress.completionTokens += answer.usage.completionTokens;
  };
  earlier.forEach(count);
  onProgress?.({ ...progress });

  const failures: unknown[] = [];
  const answerOne = async (request: GenerationRequest) => {
    if (failures.length > 0 || signal.aborted) return;
    try {
      const answer = rawAnswerOf(request, await ask(request, signal));
      await results.append(answer);
      count(answer);
      onProgress?.({ ...progress });
    } catch (error) {
      failures.push(error);
    }
  };
  const limit = limitConcurrency(input.concurrency);
  const answered = new Set(earlier.map((answer) => answer.request_id));
  const open = requests.filter((request) => !answered.has(request.id));
  await Promise.all(open.map((request) => limit(answerOne, request)));
  signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
  return { ...progress, alreadyAnswered: earlier.length };
}

function rawAnswerOf(request: GenerationRequest, answer: TeacherAnswer): RawAnswer {
  return {
    request_id: request.id,
    image_id: request.image_id,
    raw_instructions: answer.text,
    question_type: request.question_type,
    model: answer.model,
    usage: answer.usage,
    prompt_version: request.prompt_version,
    seed: request.seed,
  };
}
