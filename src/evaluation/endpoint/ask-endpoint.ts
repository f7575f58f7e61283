/** Asks all questions of a set at an endpoint, with the call log, the limits and the retries of requests to a teacher. */
import { setTimeout as wait } from 'node:timers/promises';
import type { OpenAI } from 'openai';
import { z } from 'zod';
import { hashFile, hashValue } from '../../core/hash.ts';
import type { ExifMode } from '../../core/images/image-kind.ts';
import { InputError } from '../../core/input-error.ts';
import { askChunk, type ChunkOutcome, type RequestAsker } from '../../teacher/ask-chunk.ts';
import { type CallSummary, readCallLog, type TeacherRequest } from '../../teacher/call-log.ts';
import { countTokens } from '../../teacher/count-tokens.ts';
import { createPacer, type Pacer, type Rate } from '../../teacher/pacer.ts';
import { isRefusalOfContent, isTooLong, TeacherError } from '../../teacher/teacher-error.ts';
import { type EvaluationAnswer, type EvaluationQuestion, imagesOfQuestion } from '../../trainer/job-files.ts';
import { extractChoice } from '../extract-choice.ts';
import { askQuestion, requestId, writtenChoice } from './questions.ts';
import type { Ranking } from './rankings.ts';

export interface AskEndpointInput {
  client: OpenAI;
  model: string;
  ranking: Ranking;
  exif: ExifMode;
  questions: readonly EvaluationQuestion[];
  /** For the calls, and the answers in them. What is answered there is not asked again. */
  folder: string;
  /** Open requests. */
  concurrency: number;
  limits: Rate;
  /** Receives the sum of all calls, however an attempt ends. */
  account?: ((calls: CallSummary) => Promise<void>) | undefined;
  onProgress: (progress: { step: number; steps: number }) => void;
  signal: AbortSignal;
}

interface QuestionRequest extends TeacherRequest {
  question: EvaluationQuestion;
}

/** Attempts in a row in which nothing is answered: with the waits between them a quarter of an hour. */
const attemptsWithoutProgress = 20;
const longestWaitSeconds = 60;
/** Of prompts and images, for limits of tokens: an endpoint says afterwards what it counts. */
const tokensOfImage = 1024;

/**
 * Asks every question that has no answer in the folder yet.
 *
 * @returns an answer for each question, in their order
 * @throws TeacherError when the endpoint refuses, or answers nothing for a quarter of an hour; InputError for an image that
 *   can't be read; the signal's reason
 */
export async function askEndpoint(input: AskEndpointInput): Promise<EvaluationAnswer[]> {
  const { folder, signal } = input;
  const requests = await requestsOf(input);
  // Questions of a file may be the same: they are asked once.
  const unique = [...new Map(requests.map((request) => [request.id, request])).values()];
  const pacer = createPacer(input.limits);
  const asker = askerOf(input, pacer);
  const attempt = () =>
    askChunk({
      requests: unique,
      folder,
      chunk: 0,
      asker,
      pacer,
      concurrency: input.concurrency,
      ...(input.account && { account: input.account }),
      onProgress: (answered) => input.onProgress({ step: answered, steps: unique.length }),
      signal,
    });
  const { givenUp } = await untilAnswered(attempt, folder, signal);
  const { answers } = await readCallLog(folder, 0);
  if (givenUp > 0) {
    const [missing] = requests.filter(({ id }) => !answers.has(id));
    throw new TeacherError(
      `The endpoint gives no usable answer to ${givenUp} questions, such as ${missing?.question.question_id}`,
      { retryable: false },
    );
  }
  return requests.map(({ id, question }) => answerOf(question, answers.get(id)?.raw_instructions ?? ''));
}

async function untilAnswered(
  attempt: () => Promise<ChunkOutcome>,
  folder: string,
  signal: AbortSignal,
): Promise<ChunkOutcome> {
  let [failures, answered] = [0, -1];
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TeacherError) || !error.retryable) throw error;
      const now = (await readCallLog(folder, 0)).answers.size;
      failures = now > answered ? 1 : failures + 1;
      answered = now;
      if (failures >= attemptsWithoutProgress) throw error;
      await wait(waitSeconds(error, failures) * 1000, undefined, { signal });
    }
  }
}

/** What the endpoint states, and where nothing was answered since, no less than 1, 2, 4 … seconds: it may state 0 each time. */
export function waitSeconds({ retryAfterSeconds: stated }: Pick<TeacherError, 'retryAfterSeconds'>, failures: number) {
  const own = Math.min(longestWaitSeconds, 2 ** (failures - 1));
  return stated === undefined || failures > 1 ? Math.max(stated ?? 0, own) : stated;
}

async function requestsOf({ questions, ranking, exif, model }: AskEndpointInput): Promise<QuestionRequest[]> {
  const hashes = new Map<string, string>();
  const hashOf = async (path: string) => {
    const hash = hashes.get(path) ?? (await hashFile(path));
    hashes.set(path, hash);
    return hash;
  };
  const requests: QuestionRequest[] = [];
  for (const question of questions) {
    const images: string[] = [];
    for (const path of imagesOfQuestion(question)) images.push(await hashOf(path));
    requests.push({
      id: requestId(question, images, { ranking, exif }),
      image_id: images.length === 0 ? 'none' : hashValue(images),
      question_type: ranking,
      prompt_version: model,
      seed: 0,
      question,
    });
  }
  return requests;
}

function askerOf({ client, model, ranking, exif }: AskEndpointInput, pacer: Pacer): RequestAsker<QuestionRequest> {
  return {
    most({ question }) {
      const { question: words, answers, generate } = question;
      const each = countTokens(words) + tokensOfImage * imagesOfQuestion(question).length;
      const asked = (answers.length > 0 && ranking === 'prompt-logprobs' ? answers.length + 1 : 1) + (generate ? 1 : 0);
      return { promptTokens: asked * each, completionTokens: (generate?.maximumNewTokens ?? 0) + asked };
    },
    async ask({ question }, call, signal) {
      try {
        const turn = () => pacer.turn(0, signal);
        const settings = { client, model, ranking, exif, signal, call, turn };
        const { usage, ...answer } = await askQuestion(question, settings);
        return { text: JSON.stringify(answer), usage, model, requestHash: hashValue(answer) };
      } catch (error) {
        if (error instanceof TeacherError && error.status === 413) throw tooLarge(question, error);
        // The question itself is refused: it counts as unanswered, like one whose answer names no choice.
        if (!isTooLong(error) && !isRefusalOfContent(error)) throw error;
        const refusal = (error as Error).message;
        const usage = { promptTokens: 0, completionTokens: 0, totalTokens: 0 };
        return { text: JSON.stringify({ losses: [] }), usage, model, requestHash: hashValue({ refusal }), refusal };
      }
    },
  };
}

/** A server's limit, which a person must raise, or shrink the image: without an answer the score would be of fewer questions. */
function tooLarge(question: EvaluationQuestion, { message }: TeacherError): InputError {
  const [file = `question ${question.question_id}`] = imagesOfQuestion(question);
  return new InputError({
    file,
    problem: `the endpoint takes no request as large as that of question ${question.question_id}, whose images go as PNG in their own size: ${message}`,
    remedy:
      'Allow larger ones there (dataengine serve --max-body-mib, nginx client_max_body_size), or shrink the image',
  });
}

const foundSchema = z.object({
  losses: z.array(z.number()),
  choiceText: z.string().optional(),
  text: z.string().optional(),
});

/** The answer as scoring takes it: losses, or the choice that the model wrote. */
function answerOf(question: EvaluationQuestion, found: string): EvaluationAnswer {
  const { losses, choiceText, text } = foundSchema.parse(JSON.parse(found));
  const answer = { question_id: question.question_id, losses };
  // Where words are all that was asked for, there is nothing else: a refused question wrote none.
  const words = text ?? (question.generate === undefined ? undefined : '');
  const withText = words === undefined ? answer : { ...answer, text: words };
  const isChosen = question.answers.length > 0 && losses.length === 0;
  return isChosen ? { ...withText, choice: choiceIn(question, choiceText) } : withText;
}

/** The place of the choice that a text means; null where it means none. */
function choiceIn(question: EvaluationQuestion, text = ''): number | null {
  const { choices } = writtenChoice(question);
  const found = extractChoice(text, choices);
  if (found === undefined || found === 'none') return null;
  const place = choices.findIndex(({ letter }) => letter === found.letter);
  return place < 0 ? null : place;
}
