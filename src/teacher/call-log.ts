/**
 * The log of the calls to the teacher for each chunk of requests, and the answers in it. A chunk has a file
 * `chunk-<number>.<process>.jsonl` for each process that has worked on it: two processes that overlap, because one was
 * taken for dead, never write into the same file.
 */

import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type JsonLinesAppender, openJsonLines } from '../core/append-json-lines.ts';
import { requireFence } from '../core/fence.ts';
import { type ImageId, imageIdSchema } from '../core/images/image-id.ts';
import { readJsonLines } from '../core/read-json.ts';
import type { TokenSum } from './prices.ts';
import type { TeacherAnswer } from './read-completion.ts';

/** What all requests to the teacher have in common; it is copied into the answer's line. */
export interface TeacherRequest {
  /** A hash of all that the answer depends on. */
  id: string;
  image_id: ImageId;
  question_type: string;
  prompt_version: string;
  /** Sent to the teacher's API. */
  seed: number;
}

/** One line of `gptvqa_result.jsonl`: an answer of the teacher, before it is parsed. */
export const rawAnswer = z.object({
  request_id: z.string().describe('A hash of all that the answer depends on'),
  image_id: imageIdSchema,
  raw_instructions: z.string().describe('The answer'),
  question_type: z.string(),
  model: z.string(),
  usage: z.object({ promptTokens: z.number(), completionTokens: z.number(), totalTokens: z.number() }),
  prompt_version: z.string(),
  seed: z.number().int().describe("Sent to the teacher's API"),
  request_hash: z.string().optional().describe('SHA-256 of all that was sent'),
  finish_reason: z
    .string()
    .optional()
    .describe("Why the answer ends, in the server's words: `stop`, `length` for one that is cut, `content_filter`"),
  refusal: z.string().optional().describe('Why the teacher refused to answer, or a filter stopped it'),
  examples_dropped: z
    .number()
    .int()
    .optional()
    .describe('In-context examples left out because the prompt was too long for the model'),
});

/** An answer of the teacher. The first three keys after the id are the reference system's. */
export type RawAnswer = z.output<typeof rawAnswer>;

/** Makes the line of an answer. */
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
    ...(answer.finishReason === undefined ? {} : { finish_reason: answer.finishReason }),
    ...(answer.refusal === undefined ? {} : { refusal: answer.refusal }),
    ...(answer.examplesDropped ? { examples_dropped: answer.examplesDropped } : {}),
  };
}

/**
 * Reads the raw answers of a round. Parallel calls end in any order, so with `requests` the answers come in the order of
 * the requests, without those to other requests: what follows from them is then the same every time.
 *
 * @throws InputError with the line and field that does not fit.
 */
export async function readRawAnswers(file: string, requests?: readonly { id: string }[]): Promise<RawAnswer[]> {
  const answers = await readJsonLines(file, rawAnswer, { tolerateTruncatedLastLine: true });
  if (!requests) return answers;
  const answerOf = new Map(answers.map((answer) => [answer.request_id, answer]));
  return requests.flatMap(({ id }) => answerOf.get(id) ?? []);
}

const tokenSum = z.object({ promptTokens: z.number(), completionTokens: z.number() });

const callLine = z.discriminatedUnion('kind', [
  /** Written before the request is sent; `most` is the most that it can cost. */
  z.object({
    kind: z.literal('sent'),
    call: z.string(),
    request_id: z.string(),
    at: z.string(),
    most: tokenSum,
  }),
  z.object({ kind: z.literal('answer'), call: z.string(), at: z.string(), answer: rawAnswer }),
  /** It ended without an answer; not charged for unless `charged` says so. */
  z.object({
    kind: z.literal('failed'),
    call: z.string(),
    request_id: z.string(),
    at: z.string(),
    problem: z.string(),
    status: z.number().optional(),
    /** The answer was there, but nothing that can be used. */
    unusable: z.boolean().optional(),
    /** The prompt was too long for the model; it is sent again without one more in-context example. */
    too_long: z.boolean().optional(),
    charged: tokenSum.optional(),
  }),
]);
export type CallLine = z.output<typeof callLine>;
export type SentCall = Extract<CallLine, { kind: 'sent' }>;

/** The sum of all calls for a chunk. */
export interface CallSummary {
  /** The answer to each request that has one, by the request's id; the first counts. */
  answers: Map<string, RawAnswer>;
  /** Calls that were sent, and whose end is not known. */
  unsettled: SentCall[];
  /** Calls whose end is known. */
  settled: Set<string>;
  /** How often each request failed; rate limits (429) do not count, nor do prompts that are sent again shorter. */
  failures: Map<string, number>;
  /** Of how many in-context examples each request was shortened, where it was too long with them. */
  examplesDropped: Map<string, number>;
  /** Unusable answers since the last good one. */
  unusableInRow: number;
  /** Calls since the last good answer. */
  callsInRow: number;
  calls: number;
  failedCalls: number;
  /** Of all answers, also of a second one to the same request, and of unusable ones. */
  charged: TokenSum;
}

// One for each process: its attempts at a chunk follow one another.
const processToken = randomBytes(4).toString('hex');
let callNumber = 0;

/** An id for a call that no other call has. */
export function newCallId(): string {
  callNumber += 1;
  return `${processToken}-${callNumber}`;
}

/** What the names of a chunk's files start with. */
export const callFilesOf = (chunk: number): string => `chunk-${String(chunk).padStart(6, '0')}.`;

/** The calls of a chunk, open to add to. */
export interface CallLog extends Pick<JsonLinesAppender, 'flush' | 'close'> {
  append(line: CallLine, options?: { flush?: boolean }): Promise<void>;
  /** Sums up all calls of the chunk. Of files that other processes write, what is on the disk now counts. */
  summarize(): Promise<CallSummary>;
}

/**
 * Opens this process's file of a chunk.
 *
 * @throws InputError with the line that does not fit; StorageError for a full disk and the like
 */
export async function openCallLog(folder: string, chunk: number): Promise<CallLog> {
  const name = `${callFilesOf(chunk)}${processToken}.jsonl`;
  const appender = await openJsonLines(join(folder, name));
  const own = await readLines(folder, [name]);
  return {
    async append(line, options) {
      // What was asked before another owner took the run over may be paid for: its answer is kept.
      if (line.kind === 'sent') await requireFence({ often: true });
      await appender.append(line, options);
      own.push(line);
    },
    async summarize() {
      const others = (await filesOfChunk(folder, chunk)).filter((file) => file !== name);
      const before = others.filter((file) => file < name);
      const after = others.filter((file) => file > name);
      // In the order in which `readCallLog` reads the files, so that both find the same first answer.
      return summarizeCalls([...(await readLines(folder, before)), ...own, ...(await readLines(folder, after))]);
    },
    flush: appender.flush,
    close: appender.close,
  };
}

/** Reads all files of a chunk. */
export async function readCallLog(
  folder: string,
  chunk: number,
  filesInFolder?: readonly string[],
): Promise<CallSummary> {
  return summarizeCalls(await readLines(folder, await filesOfChunk(folder, chunk, filesInFolder)));
}

/** The answers to all requests of a folder of calls, by the request's id; of several the first counts. */
export async function readAllCalls(folder: string): Promise<Map<string, RawAnswer>> {
  const files = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith('chunk-')).sort();
  return summarizeCalls(await readLines(folder, files)).answers;
}

async function filesOfChunk(folder: string, chunk: number, filesInFolder?: readonly string[]): Promise<string[]> {
  const names = filesInFolder ?? (await readdir(folder).catch(() => []));
  return names.filter((name) => name.startsWith(callFilesOf(chunk))).sort();
}

async function readLines(folder: string, files: readonly string[]): Promise<CallLine[]> {
  const lines: CallLine[] = [];
  for (const name of files) {
    lines.push(...(await readJsonLines(join(folder, name), callLine, { tolerateTruncatedLastLine: true })));
  }
  return lines;
}

/** Sums up calls. */
function summarizeCalls(lines: readonly CallLine[]): CallSummary {
  const sent = new Map<string, SentCall>();
  const answered = new Map<string, RawAnswer>();
  const failed = new Map<string, Extract<CallLine, { kind: 'failed' }>>();
  let unusableInRow = 0;
  let callsInRow = 0;
  for (const line of lines) {
    if (line.kind === 'answer') [unusableInRow, callsInRow] = [0, 0];
    if (line.kind === 'sent') callsInRow += 1;
    if (line.kind === 'failed' && line.unusable) unusableInRow += 1;
    if (line.kind === 'sent') sent.set(line.call, line);
    if (line.kind === 'answer' && !answered.has(line.call)) answered.set(line.call, line.answer);
    if (line.kind === 'failed') failed.set(line.call, line);
  }
  const answers = new Map<string, RawAnswer>();
  const charged: TokenSum = { promptTokens: 0, completionTokens: 0 };
  for (const answer of answered.values()) {
    if (!answers.has(answer.request_id)) answers.set(answer.request_id, answer);
    charged.promptTokens += answer.usage.promptTokens;
    charged.completionTokens += answer.usage.completionTokens;
  }
  const failures = new Map<string, number>();
  const examplesDropped = new Map<string, number>();
  const failedCalls = [...failed.values()].filter(({ call }) => !answered.has(call));
  for (const { request_id, status, too_long, charged: tokens } of failedCalls) {
    charged.promptTokens += tokens?.promptTokens ?? 0;
    charged.completionTokens += tokens?.completionTokens ?? 0;
    if (status === 429) continue;
    const counts = too_long ? examplesDropped : failures;
    counts.set(request_id, (counts.get(request_id) ?? 0) + 1);
  }
  return {
    answers,
    unsettled: [...sent.values()].filter(({ call }) => !answered.has(call) && !failed.has(call)),
    settled: new Set([...answered.keys(), ...failed.keys()]),
    failures,
    examplesDropped,
    unusableInRow,
    callsInRow,
    calls: sent.size,
    failedCalls: failedCalls.length,
    charged,
  };
}
