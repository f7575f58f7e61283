import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { seededRandom } from '../../src/core/seeded-random.ts';
import type { BatchFaults } from './faults.ts';
import type { FileStore } from './files.ts';
import { errorReply, parseOrUndefined, type Reply } from './http.ts';

const createRequest = z.object({
  input_file_id: z.string(),
  endpoint: z.literal('/v1/chat/completions'),
  completion_window: z.literal('24h'),
  metadata: z.record(z.string(), z.string()).nullish(),
});
const inputLine = z.object({
  custom_id: z.string(),
  method: z.literal('POST'),
  url: z.literal('/v1/chat/completions'),
  body: z.unknown(),
});
type InputLine = z.output<typeof inputLine>;

interface Batch {
  id: string;
  object: 'batch';
  endpoint: string;
  completion_window: string;
  created_at: number;
  expires_at: number;
  input_file_id: string;
  output_file_id: string | null;
  error_file_id: string | null;
  status: 'validating' | 'failed' | 'in_progress' | 'completed' | 'expired' | 'cancelling' | 'cancelled';
  errors: { object: 'list'; data: { code: string; message: string; line: number | null; param: null }[] } | null;
  request_counts: { total: number; completed: number; failed: number };
  metadata: Record<string, string> | null;
}

const mostWaitMilliseconds = 2000;

interface OpenBatch {
  batch: Batch;
  lines: InputLine[];
  endsAt: number;
  end: Batch['status'];
  /** The writing of its results: two requests for its state must not both write them. */
  ending?: Promise<void>;
}

/** Answers `/v1/batches…`. */
export interface BatchService {
  handle(method: string, path: string, body: string, query: URLSearchParams): Promise<Reply>;
}

/**
 * Batches as in OpenAI's Batch API: an uploaded file of requests, done after a while, with a file of answers and one of
 * errors. The first half of an expired or canceled batch is done.
 *
 * @param input.complete answers one request as the chat endpoint would
 */
export function createBatchService(input: {
  files: FileStore;
  faults: BatchFaults;
  seed: number | string;
  complete: (body: unknown, id: string) => Promise<Reply>;
  onCreated: () => void;
  onCancelled: () => void;
  now?: () => number;
}): BatchService {
  const { files, faults, seed, complete, now = Date.now } = input;
  const batches = new Map<string, OpenBatch>();

  const create = (body: string): Reply => {
    const request = createRequest.safeParse(parseOrUndefined(body));
    if (!request.success) return errorReply(400, z.prettifyError(request.error));
    const content = files.content(request.data.input_file_id);
    if (!content) return errorReply(400, `No such file: ${request.data.input_file_id}`);
    const { lines, errors } = readLines(Buffer.from(content).toString('utf8'));
    const number = batches.size;
    const scripted = faults.script?.[number] ?? 'completed';
    const createdAt = Math.floor(now() / 1000);
    const batch: Batch = {
      id: `batch_${number + 1}`,
      object: 'batch',
      endpoint: request.data.endpoint,
      completion_window: request.data.completion_window,
      created_at: createdAt,
      expires_at: createdAt + 24 * 3600,
      input_file_id: request.data.input_file_id,
      output_file_id: null,
      error_file_id: null,
      status: errors.length > 0 ? 'failed' : 'in_progress',
      errors: errors.length > 0 ? { object: 'list', data: errors } : null,
      request_counts: { total: lines.length, completed: 0, failed: 0 },
      metadata: request.data.metadata ?? null,
    };
    batches.set(batch.id, { batch, lines, endsAt: now() + (faults.seconds ?? 0) * 1000, end: scripted });
    input.onCreated();
    return { status: 200, body: { ...batch, status: 'validating' } };
  };

  const writeResults = async (batch: Batch, done: InputLine[], undone: InputLine[]) => {
    const random = seededRandom(String(seed)).fork('batch').fork(batch.id);
    const answers: string[] = [];
    const failures: string[] = [];
    for (const { custom_id, body } of done) {
      const fails = random.fork(custom_id).uniform() < (faults.failedRequests ?? 0);
      const { status, body: answer } = fails
        ? errorReply(500, 'A fault that was asked for')
        : await complete(body, custom_id);
      const response = { status_code: status, request_id: `req_${custom_id}`, body: answer };
      const line = JSON.stringify({ id: `batch_req_${custom_id}`, custom_id, response, error: null });
      (status === 200 ? answers : failures).push(line);
    }
    for (const { custom_id } of undone) {
      const error = { code: 'batch_expired', message: 'This request was not done in time' };
      failures.push(JSON.stringify({ id: `batch_req_${custom_id}`, custom_id, response: null, error }));
    }
    const store = (lines: string[], name: string) =>
      lines.length === 0 ? null : files.add(Buffer.from(`${lines.join('\n')}\n`), name, 'batch_output').id;
    batch.output_file_id = store(answers, `${batch.id}_output.jsonl`);
    batch.error_file_id = store(failures, `${batch.id}_error.jsonl`);
    batch.request_counts = { total: done.length + undone.length, completed: answers.length, failed: failures.length };
  };

  const finish = async ({ batch, lines, end }: OpenBatch) => {
    const half = Math.ceil(lines.length / 2);
    const status = batch.status === 'cancelling' ? 'cancelled' : end;
    try {
      if (status === 'completed') await writeResults(batch, lines, []);
      if (status === 'expired') await writeResults(batch, lines.slice(0, half), lines.slice(half));
      if (status === 'cancelled') await writeResults(batch, lines.slice(0, half), []);
      batch.status = status;
    } catch {
      batch.status = 'failed';
    }
  };

  const advance = async (id: string): Promise<Batch | undefined> => {
    const entry = batches.get(id);
    if (!entry) return undefined;
    const { batch, endsAt } = entry;
    const isOver = batch.status === 'cancelling' || (batch.status === 'in_progress' && now() >= endsAt);
    if (isOver) entry.ending ??= finish(entry);
    // Images take a while to look at: whoever asks in the meantime is answered with the state so far.
    await Promise.race([entry.ending, wait(mostWaitMilliseconds, undefined, { ref: false })]);
    return batch;
  };

  const cancel = (batch: Batch): Reply => {
    if (batch.status !== 'in_progress') return errorReply(409, `The batch is ${batch.status}`);
    batch.status = 'cancelling';
    input.onCancelled();
    return { status: 200, body: batch };
  };

  return {
    async handle(method, path, body, query) {
      if (method === 'POST' && path === '/v1/batches') return create(body);
      if (method === 'GET' && path === '/v1/batches') {
        const newestFirst = [...batches.values()].map(({ batch }) => batch).reverse();
        const start = newestFirst.findIndex(({ id }) => id === query.get('after')) + 1;
        const data = newestFirst.slice(start, start + Number(query.get('limit') ?? 20));
        return { status: 200, body: { object: 'list', data, has_more: start + data.length < newestFirst.length } };
      }
      const [, id = '', action] = /^\/v1\/batches\/([^/]+)(\/cancel)?$/.exec(path) ?? [];
      const batch = action ? batches.get(id)?.batch : await advance(id);
      if (!batch) return errorReply(404, `No such batch: ${id || path}`);
      if (action) return method === 'POST' ? cancel(batch) : errorReply(405, 'POST it');
      return { status: 200, body: batch };
    },
  };
}

function readLines(text: string): {
  lines: InputLine[];
  errors: { code: string; message: string; line: number; param: null }[];
} {
  const lines: InputLine[] = [];
  const errors: { code: string; message: string; line: number; param: null }[] = [];
  const seen = new Set<string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const parsed = inputLine.safeParse(parseOrUndefined(line));
    const problem = !parsed.success
      ? z.prettifyError(parsed.error)
      : seen.has(parsed.data.custom_id)
        ? 'the custom_id is there twice'
        : undefined;
    if (problem !== undefined) errors.push({ code: 'invalid_request', message: problem, line: index + 1, param: null });
    else if (parsed.success) {
      seen.add(parsed.data.custom_id);
      lines.push(parsed.data);
    }
  }
  return { lines, errors };
}
