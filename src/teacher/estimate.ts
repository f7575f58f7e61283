import type { z } from 'zod';
import type { TeacherRequest } from './call-log.ts';
import { type ChunkIndex, countChunks, readChunk } from './chunks.ts';
import type { LedgerTotal } from './ledger.ts';
import { costOf, type TokenPrice } from './prices.ts';
import type { Teacher } from './providers/index.ts';
import { mostTokens, type RequestForm } from './request-asker.ts';

/** What asking a list of requests will take, estimated from some of its prompts. */
export interface GenerationEstimate {
  requests: number;
  promptTokens: number;
  completionTokens: number;
  /** The likely cost, in the currency of the prices. */
  cost: number;
  /** The cost if every answer were as long as allowed. */
  maximumCost: number;
  /** The most that one request can cost, with a margin for prompts outside of the sample. */
  mostPerRequest: number;
  /** The least that it takes by the limits, in seconds; 0 without limits. */
  seconds: number;
}

const promptsSampled = 200;
const chunksSampled = 8;
// The reference system's answers have about this many tokens.
const usualAnswerTokens = 200;
const marginForLongerPrompts = 1.2;

/** Estimates from a sample of the prompts; lengths of answers are those of earlier rounds, where there are any. */
export async function estimateGeneration<Request extends TeacherRequest>(input: {
  work: {
    /** The first part of its sources in the ledger, behind the round. */
    purpose: string;
    requestsFile: string;
    schema: z.ZodType<Request>;
    formOf(requests: readonly Request[]): Promise<RequestForm<Request>>;
  };
  chunks: ChunkIndex;
  teacher: Teacher;
  price: TokenPrice | undefined;
  ledger: LedgerTotal;
}): Promise<GenerationEstimate> {
  const { work, chunks, teacher, price, ledger } = input;
  const count = countChunks(chunks);
  const sampled = Math.min(count, chunksSampled);
  const some: Request[] = [];
  for (let index = 0; index < sampled; index += 1) {
    const chunk = await readChunk(work.requestsFile, chunks, Math.floor((index * count) / sampled), work.schema);
    some.push(...chunk.slice(0, Math.ceil(promptsSampled / sampled)));
  }
  const form = await work.formOf(some);
  const most = some.map((request) => mostTokens(form, request));
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const lengths = most.map(({ promptTokens }) => promptTokens);
  const answers = most.map(({ completionTokens }) => completionTokens);
  const longest = Math.max(0, ...lengths);
  const { requests } = chunks;
  const promptTokens = Math.round(mean(lengths) * requests);
  const longestAnswers = Math.round(mean(answers) * requests);
  const completionTokens = Math.round(meanAnswer(ledger, work.purpose, mean(answers)) * requests);
  const { settings, mode } = teacher;
  return {
    requests,
    promptTokens,
    completionTokens,
    cost: costOf(price, { promptTokens, completionTokens }),
    maximumCost: costOf(price, { promptTokens, completionTokens: longestAnswers }),
    mostPerRequest: costOf(price, {
      promptTokens: longest * marginForLongerPrompts,
      completionTokens: Math.max(0, ...answers),
    }),
    seconds: mode.leastSeconds(settings, { requests, tokens: promptTokens + longestAnswers }),
  };
}

function meanAnswer({ bySource }: LedgerTotal, purpose: string, maximumTokens: number): number {
  const generated = [...bySource.values()].filter(
    ({ source, lostCalls }) => source.includes(`/${purpose}/`) && lostCalls === 0,
  );
  const answers = generated.reduce((sum, { calls, failedCalls }) => sum + calls - failedCalls, 0);
  const tokens = generated.reduce((sum, { completionTokens }) => sum + completionTokens, 0);
  return answers > 0 ? tokens / answers : Math.min(usualAnswerTokens, maximumTokens);
}
