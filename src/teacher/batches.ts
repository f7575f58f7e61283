/**
 * A chunk of requests as a batch of OpenAI's Batch API: half the price, within a day.
 */
import type { OpenAI } from 'openai';
import { toFile } from 'openai';
import type { Batch } from 'openai/resources/batches';
import { z } from 'zod';
import { hashValue } from '../core/hash.ts';
import { InputError } from '../core/input-error.ts';
import { parseJson } from '../core/read-json.ts';
import {
  type CallLine,
  type CallSummary,
  openCallLog,
  type RawAnswer,
  rawAnswerOf,
  readCallLog,
  type TeacherRequest,
} from './call-log.ts';
import { costOf, type TokenSum } from './prices.ts';
import { readCompletion } from './read-completion.ts';
import { errorOfStatus, teacherErrorFrom } from './read-error.ts';
import type { TeacherAsker } from './request-asker.ts';
import { type AskedChunk, askedChunk, type TeacherChunk, tokensOf } from './teacher-chunk.ts';
import { TeacherError } from './teacher-error.ts';

const resultLine = z.object({
  custom_id: z.string(),
  response: z.object({ status_code: z.number(), body: z.unknown() }).nullish(),
  error: z.object({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
});

/** A request that failed in this many batches is given up. */
const failuresBeforeGivingUp = 5;
// OpenAI's limit for the file of a batch.
const maximumFileBytes = 200 * 1024 * 1024;
const maximumBatchesListed = 500;

/** A batch that was submitted, or how the chunk ended when there is nothing to submit. */
export type SubmittedBatch = { batch: string; requests: number } | { batch: undefined; chunk: AskedChunk };

/**
 * Submits the requests of a chunk that have no answer yet as a batch. A retry after a crash finds the batch that was
 * submitted before it.
 *
 * @param options.allowance what the chunk may cost since asking was started; default: anything
 * @throws TeacherError; InputError for a batch that is too large to upload
 */
export async function submitBatch<Request extends TeacherRequest>(
  chunk: TeacherChunk<Request>,
  { allowance, signal }: { allowance?: number | undefined; signal: AbortSignal },
): Promise<SubmittedBatch> {
  const calls = await readCallLog(chunk.calls, chunk.number);
  const submitted = calls.unsettled.map(({ call }) => batchOfCall(call)).find(Boolean);
  if (submitted !== undefined) return { batch: submitted, requests: calls.unsettled.length };
  const open = chunk.requests.filter(({ id }) => !calls.answers.has(id));
  const worthAsking = open.filter(({ id }) => (calls.failures.get(id) ?? 0) < failuresBeforeGivingUp);
  if (worthAsking.length === 0) {
    return { batch: undefined, chunk: askedChunk(chunk, calls, { givenUp: open.length }) };
  }
  return chunk.withAsker(worthAsking, async (asker) => {
    const affordable = withinAllowance(chunk, worthAsking, asker, calls, allowance);
    if (affordable.length === 0) {
      return { batch: undefined, chunk: askedChunk(chunk, calls, { outOfBudget: true }) };
    }
    try {
      const batch = await findOrCreateBatch(chunk, affordable, asker, calls, signal);
      await logSubmitted(chunk, batch, affordable, asker);
      return { batch, requests: affordable.length };
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof InputError ? error : teacherErrorFrom(error);
    }
  });
}

async function findOrCreateBatch<Request extends TeacherRequest>(
  { run, settings }: TeacherChunk<Request>,
  requests: readonly Request[],
  asker: TeacherAsker<Request>,
  calls: CallSummary,
  signal: AbortSignal,
): Promise<string> {
  const { client } = asker;
  // A crash between submitting and logging it changes nothing that the key is made of.
  const key = hashValue({ calls: calls.calls, ids: requests.map(({ id }) => id), run });
  const known = await findBatch(client, key);
  if (known !== undefined) return known;
  const file = await batchFile(requests, asker, {
    dropped: calls.examplesDropped,
    configured: settings.batch.requests,
  });
  return createBatch(client, file, key, signal);
}

async function logSubmitted<Request extends TeacherRequest>(
  chunk: TeacherChunk<Request>,
  batch: string,
  requests: readonly Request[],
  asker: TeacherAsker<Request>,
): Promise<void> {
  const log = await openCallLog(chunk.calls, chunk.number);
  try {
    const at = new Date().toISOString();
    for (const request of requests) {
      const { id } = request;
      const most = asker.most(request);
      await log.append({ kind: 'sent', call: `${batch}/${id}`, request_id: id, at, most }, { flush: false });
    }
    await log.flush();
  } finally {
    await log.close();
  }
}

/** The state of a batch. */
export interface BatchState {
  ended: boolean;
  status: Batch['status'];
  completed: number;
  failed: number;
  total: number;
}

/** Reads the state of a batch. @throws TeacherError, not retryable when the service refused the batch */
export async function readBatchState(client: OpenAI, batch: string): Promise<BatchState> {
  const { status, request_counts: counts, errors } = await callTeacher(() => client.batches.retrieve(batch));
  if (status === 'failed') {
    const [first] = errors?.data ?? [];
    const where = first?.line ? ` (line ${first.line})` : '';
    throw new TeacherError(`Batch ${batch} was refused: ${first?.message ?? 'no reason given'}${where}`, {
      retryable: false,
    });
  }
  return {
    ended: ['completed', 'expired', 'cancelled'].includes(status),
    status,
    completed: counts?.completed ?? 0,
    failed: counts?.failed ?? 0,
    total: counts?.total ?? 0,
  };
}

/** Cancels a batch; the answers that it has stay. Does nothing for one that has ended. @throws TeacherError */
export async function cancelBatch(client: OpenAI, batch: string): Promise<void> {
  try {
    await callTeacher(() => client.batches.cancel(batch));
  } catch (error) {
    if (!(error instanceof TeacherError && (error.status === 409 || error.status === 400))) throw error;
  }
}

/**
 * Writes down the answers of a batch that has ended, completed or not. Collecting it again changes nothing. Requests
 * without an answer are left for the next batch.
 *
 * @throws TeacherError
 */
export async function collectBatch<Request extends TeacherRequest>(
  chunk: TeacherChunk<Request>,
  batch: string,
): Promise<AskedChunk> {
  const before = await readCallLog(chunk.calls, chunk.number);
  const requestOf = new Map(chunk.requests.map((request) => [request.id, request]));
  const sent = before.unsettled.filter(({ call }) => batchOfCall(call) === batch).map(({ request_id }) => request_id);
  await chunk.withAsker(chunk.requests, async (asker) => {
    const results = await readResults(asker.client, batch);
    const log = await openCallLog(chunk.calls, chunk.number);
    try {
      for (const request_id of new Set([...sent, ...results.keys()])) {
        const call = `${batch}/${request_id}`;
        if (before.settled.has(call)) continue;
        const at = new Date().toISOString();
        const dropped = before.examplesDropped.get(request_id) ?? 0;
        const outcome = await readResult(results.get(request_id), requestOf.get(request_id), dropped, asker);
        await log.append(
          'answer' in outcome
            ? { kind: 'answer', call, at, answer: outcome.answer }
            : { kind: 'failed', call, request_id, at, ...outcome },
          { flush: false },
        );
      }
      await log.flush();
    } finally {
      await log.close();
    }
  });
  const calls = await readCallLog(chunk.calls, chunk.number);
  await chunk.account(calls);
  return askedChunk(chunk, calls);
}

async function readResults(client: OpenAI, id: string): Promise<Map<string, z.output<typeof resultLine>>> {
  const batch = await callTeacher(() => client.batches.retrieve(id));
  const results = new Map<string, z.output<typeof resultLine>>();
  for (const file of [batch.output_file_id, batch.error_file_id]) {
    if (!file) continue;
    const text = await callTeacher(async () => (await client.files.content(file)).text());
    for (const line of text.split('\n').filter(Boolean)) {
      const result = parseJson(line, `${id}/${file}`, resultLine);
      results.set(result.custom_id, result);
    }
  }
  return results;
}

/** The batch that a call was part of; undefined for one of its own. */
function batchOfCall(call: string): string | undefined {
  const slash = call.indexOf('/');
  return slash < 0 ? undefined : call.slice(0, slash);
}

function withinAllowance<Request extends TeacherRequest>(
  { price, costBefore }: TeacherChunk<Request>,
  open: readonly Request[],
  asker: TeacherAsker<Request>,
  calls: CallSummary,
  allowance = Number.POSITIVE_INFINITY,
): Request[] {
  const committed: TokenSum = tokensOf(calls);
  const fitting: Request[] = [];
  for (const request of open) {
    const most = asker.most(request);
    committed.promptTokens += most.promptTokens;
    committed.completionTokens += most.completionTokens;
    if (costOf(price, committed) - costBefore > allowance) break;
    fitting.push(request);
  }
  return fitting;
}

async function batchFile<Request extends TeacherRequest>(
  open: readonly Request[],
  asker: TeacherAsker<Request>,
  { dropped, configured }: { dropped: ReadonlyMap<string, number>; configured: number },
): Promise<string> {
  const lines: string[] = [];
  let bytes = 0;
  for (const request of open) {
    const body = await asker.body(request, dropped.get(request.id) ?? 0);
    const line = JSON.stringify({ custom_id: request.id, method: 'POST', url: '/v1/chat/completions', body });
    bytes += Buffer.byteLength(line) + 1;
    if (bytes > maximumFileBytes) {
      throw new InputError({
        file: 'config',
        field: 'teacher.batch.requests',
        problem: `a batch of ${configured} requests is larger than the 200 MB that can be uploaded`,
        remedy: `Set it to ${Math.floor(lines.length / 2)}`,
      });
    }
    lines.push(line);
  }
  return `${lines.join('\n')}\n`;
}

async function createBatch(client: OpenAI, content: string, key: string, signal: AbortSignal): Promise<string> {
  const file = await client.files.create(
    { file: await toFile(Buffer.from(content), 'requests.jsonl'), purpose: 'batch' },
    { signal },
  );
  const batch = await client.batches.create(
    {
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      metadata: { dataengine_key: key },
    },
    { signal },
  );
  return batch.id;
}

/** A batch of the same requests, running or done, that was submitted before a crash. */
async function findBatch(client: OpenAI, key: string): Promise<string | undefined> {
  let listed = 0;
  for await (const { id, metadata, status } of client.batches.list({ limit: 100 })) {
    if (metadata?.dataengine_key === key && !['failed', 'cancelled', 'cancelling'].includes(status)) return id;
    listed += 1;
    if (listed >= maximumBatchesListed) break;
  }
  return undefined;
}

type Failure = Pick<Extract<CallLine, { kind: 'failed' }>, 'problem' | 'status' | 'too_long' | 'charged'>;

async function readResult<Request extends TeacherRequest>(
  result: z.output<typeof resultLine> | undefined,
  request: Request | undefined,
  dropped: number,
  asker: TeacherAsker<Request>,
): Promise<{ answer: RawAnswer } | Failure> {
  if (!result || !request) return { problem: 'the batch ended before this request was done', status: 429 };
  if (result.error) {
    // The request is not at fault when its batch expires: it counts like a rate limit.
    const status = result.error.code === 'batch_expired' ? 429 : undefined;
    return { problem: result.error.message ?? result.error.code ?? 'failed', status };
  }
  const { status_code: status = 0, body } = result.response ?? {};
  try {
    if (status !== 200) throw errorOfStatus(status, body);
    const answer = asker.requireUsable(readCompletion(body, await asker.body(request, dropped)));
    return { answer: rawAnswerOf(request, { ...answer, examplesDropped: dropped }) };
  } catch (error) {
    const next = asker.afterFailure(request, dropped, error);
    if (next !== undefined && next !== 'shorten') return { answer: rawAnswerOf(request, next) };
    const { message: problem, status, charged } = teacherErrorFrom(error);
    return { problem, status, charged, ...(next === 'shorten' && { too_long: true }) };
  }
}

async function callTeacher<R>(call: () => Promise<R>): Promise<R> {
  try {
    return await call();
  } catch (error) {
    throw teacherErrorFrom(error);
  }
}
