/**
 * The calls to the teacher for one chunk of requests, each with how it ended. A chunk has a folder's worth of files
 * `chunk-<number>.<process>.jsonl`: each process that works on it appends to its own, so that two that overlap (the
 * first was thought dead) can't spoil one another's lines.
 */
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type JsonLinesAppender, openJsonLines } from '../core/append-json-lines.ts';
import { readJsonLines } from '../core/read-json.ts';
import type { TokenSum } from './prices.ts';
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

const callLine = z.discriminatedUnion('kind', [
  /** Written before the request goes out; `most` is the most that it can cost. */
  z.object({
    kind: z.literal('sent'),
    call: z.string(),
    request_id: z.string(),
    at: z.string(),
    most: z.object({ promptTokens: z.number(), completionTokens: z.number() }),
  }),
  z.object({ kind: z.literal('answer'), call: z.string(), at: z.string(), answer: rawAnswer }),
  /** It ended without an answer, and was not charged for. */
  z.object({
    kind: z.literal('failed'),
    call: z.string(),
    request_id: z.string(),
    at: z.string(),
    problem: z.string(),
    status: z.number().optional(),
  }),
]);
export type CallLine = z.output<typeof callLine>;
export type SentCall = Extract<CallLine, { kind: 'sent' }>;

/** What all calls for a chunk came to. */
export interface CallSummary {
  /** The answer to each request that has one, by the request's id; the first counts. */
  answers: Map<string, RawAnswer>;
  /** Calls that were sent, and of which nothing more is known. */
  unsettled: SentCall[];
  /** Calls of which the end is known. */
  settled: Set<string>;
  /** How often each request failed; being asked to wait (429) does not count. */
  failures: Map<string, number>;
  calls: number;
  failedCalls: number;
  /** Of all answers, those to a request that had one already included. */
  charged: TokenSum;
}

// One for a process: its attempts at a chunk follow one another.
const processToken = randomBytes(4).toString('hex');
let callNumber = 0;

/** An id for a call that no other call has. */
export function newCallId(): string {
  callNumber += 1;
  return `${processToken}-${callNumber}`;
}

/** What the names of a chunk's files begin with. */
export const callFilesOf = (chunk: number): string => `chunk-${String(chunk).padStart(6, '0')}.`;

/** The calls of a chunk, open to add to. */
export interface CallLog extends Pick<JsonLinesAppender, 'flush' | 'close'> {
  append(line: CallLine, options?: { flush?: boolean }): Promise<void>;
  /** What all calls of the chunk have come to. Of files that other processes write, what is on the disk now. */
  summarize(): Promise<CallSummary>;
}

/**
 * Opens this process's file of a chunk.
 *
 * @throws InputError with the line of a file that does not fit; StorageError for a full disk and the like.
 */
export async function openCallLog(folder: string, chunk: number): Promise<CallLog> {
  const name = `${callFilesOf(chunk)}${processToken}.jsonl`;
  const appender = await openJsonLines(join(folder, name));
  const own = await readLines(folder, [name]);
  return {
    async append(line, options) {
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
export function summarizeCalls(lines: readonly CallLine[]): CallSummary {
  const sent = new Map<string, SentCall>();
  const answered = new Map<string, RawAnswer>();
  const failed = new Map<string, Extract<CallLine, { kind: 'failed' }>>();
  for (const line of lines) {
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
  const failedCalls = [...failed.values()].filter(({ call }) => !answered.has(call));
  for (const { request_id, status } of failedCalls) {
    if (status !== 429) failures.set(request_id, (failures.get(request_id) ?? 0) + 1);
  }
  return {
    answers,
    unsettled: [...sent.values()].filter(({ call }) => !answered.has(call) && !failed.has(call)),
    settled: new Set([...answered.keys(), ...failed.keys()]),
    failures,
    calls: sent.size,
    failedCalls: failedCalls.length,
    charged,
  };
}
