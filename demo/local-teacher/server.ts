import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { InputError } from '../../src/core/input-error.ts';
import { emptyRecord } from '../../src/core/records.ts';
import { readRequestBody } from '../../src/core/request-body.ts';
import { createBatchService } from './batches.ts';
import { type AskedAndAnswered, type LocalTeacherCounts, openBooks } from './bookkeeping.ts';
import {
  type ChatCompletion,
  type ChatRequest,
  chatRequest,
  completeChat,
  modelName,
  type ReadChat,
  readChat,
} from './chat.ts';
import { type Fault, type Faults, faultOf } from './faults.ts';
import { createFileStore } from './files.ts';
import { errorReply, parseOrUndefined, type Reply, send } from './http.ts';
import { keepLimits, type TeacherLimits } from './limits.ts';

export type { LocalTeacherCounts } from './bookkeeping.ts';

/** A running server. */
export interface LocalTeacher {
  /** Such as `http://127.0.0.1:8787/v1`. */
  baseUrl: string;
  port: number;
  counts: () => LocalTeacherCounts;
  close: () => Promise<void>;
}

/** The behavior of a local teacher. */
export interface LocalTeacherOptions {
  /** 0: any free port. */
  port?: number;
  /** Share of the questions that get a mistake, 0 to 1. */
  mistakeRate?: number;
  seed?: number | string;
  /** Faults, for tests. */
  faults?: Faults;
  /** Requests above these limits get 429. */
  limits?: TeacherLimits;
}

// An image may have some megabytes.
const maximumBodyBytes = 20 * 1024 * 1024;
// OpenAI's own limit for the input of a batch.
const maximumFileBytes = 200 * 1024 * 1024;

/**
 * Starts a server on this machine that speaks OpenAI's protocol (chat completions with structured output and stored
 * answers, files, batches, models) and answers by rules, so that the loop runs with no key and no network. It knows
 * only the prompts that it receives, and the pixels of their images. Its counts can be read at `/admin/counts`, and by the client's ids of requests
 * (`X-Client-Request-Id`, or a batch's `custom_id`) at `/admin/requests`.
 */
export async function startLocalTeacher(options: LocalTeacherOptions = {}): Promise<LocalTeacher> {
  const { port = 0, mistakeRate = 0, seed = 1, faults = {} } = options;
  const books = openBooks();
  const limits = keepLimits(options.limits ?? {});
  const files = createFileStore();
  const stored: ChatCompletion[] = [];
  const counts = (): LocalTeacherCounts => ({ ...structuredClone(books.counts), ...limits.counts() });

  const answer = async (
    request: ChatRequest,
    chat: ReadChat,
    { id, refused, inBatch }: { id: string; refused: boolean; inBatch: boolean },
  ): Promise<Reply> => {
    if (faults.contextTokens !== undefined && chat.mostTokens > faults.contextTokens) {
      const message = `The model takes ${faults.contextTokens} tokens, and ${chat.mostTokens} were asked for`;
      return errorReply(400, message, 'context_length_exceeded');
    }
    const completed = await completeChat(request, chat, { mistakeRate, seed, refused }).catch((error: unknown) => {
      if (error instanceof InputError) return error;
      throw error;
    });
    if (completed instanceof InputError) return errorReply(400, completed.message, 'invalid_image_format');
    const { completion, kind } = completed;
    books.answered(id, chat.hash, kind, completion.usage, inBatch);
    if (completion.metadata) stored.push(completion);
    return { status: 200, body: completion };
  };

  const complete = async (request: IncomingMessage, response: ServerResponse): Promise<Reply | undefined> => {
    const number = books.counts.requests;
    books.counts.requests += 1;
    const body = await readRequestBody(request, maximumBodyBytes);
    if (faults.requiredKey !== undefined && request.headers.authorization !== `Bearer ${faults.requiredKey}`) {
      return errorReply(401, 'Incorrect API key provided', 'invalid_api_key');
    }
    if (body === undefined) return errorReply(413, 'The request is too large');
    const parsed = chatRequest.safeParse(parseOrUndefined(body.toString('utf8')));
    const chat = parsed.success ? readChat(parsed.data) : undefined;
    const id = String(request.headers['x-client-request-id'] ?? chat?.hash ?? '');
    const { admitted, headers } = limits.admit(chat?.mostTokens ?? 0);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const asked = chat ? books.asked(id, chat.hash) : 0;
    if (!admitted) return errorReply(429, 'Rate limit reached', 'rate_limit_exceeded');
    if (faults.latencyMilliseconds) await wait(faults.latencyMilliseconds);
    const fault = faultOf(faults, seed, { number, prompt: chat?.hash ?? '', asked });
    if (fault) books.counts.faults[fault.kind] = (books.counts.faults[fault.kind] ?? 0) + 1;
    if (fault?.kind === 'cut_connection') return void request.socket.destroy();
    if (fault && fault.kind !== 'refused') return replyOfFault(fault);
    if (!parsed.success || !chat) return errorReply(400, z.prettifyError(parsed.error as z.ZodError));
    return answer(parsed.data, chat, { id, refused: fault?.kind === 'refused', inBatch: false });
  };

  const batches = createBatchService({
    files,
    faults: faults.batches ?? {},
    seed,
    complete: async (body, id) => {
      const request = chatRequest.safeParse(body);
      if (!request.success) return errorReply(400, z.prettifyError(request.error));
      return answer(request.data, readChat(request.data), { id, refused: false, inBatch: true });
    },
    onCreated: () => {
      books.counts.batch.created += 1;
    },
    onCancelled: () => {
      books.counts.batch.cancelled += 1;
    },
  });

  const route = async (request: IncomingMessage, response: ServerResponse): Promise<Reply | undefined> => {
    if (!comesFromThisMachine(request)) return errorReply(403, 'Requests of web pages are refused');
    if (!request.url?.startsWith('/')) return errorReply(400, 'The path must start with a slash');
    // Never resolved as a reference: a path that starts with two slashes would name a host.
    const { pathname: path, searchParams: query } = new URL(`http://teacher${request.url}`);
    const method = request.method ?? 'GET';
    if (path === '/v1/chat/completions') {
      return method === 'POST' ? complete(request, response) : { status: 200, body: listStored(stored, query) };
    }
    if (path.startsWith('/v1/files') || path.startsWith('/v1/batches')) {
      const body = await readRequestBody(request, maximumFileBytes);
      if (body === undefined) return errorReply(413, 'The file is too large');
      if (path.startsWith('/v1/files')) {
        return files.handle(method, path, body, request.headers['content-type'] ?? '');
      }
      return batches.handle(method, path, body.toString('utf8'), query);
    }
    if (method === 'GET' && path === '/v1/models') return { status: 200, body: models };
    if (method === 'GET' && path === '/admin/counts') return { status: 200, body: counts() };
    if (method === 'GET' && path === '/admin/requests') {
      return { status: 200, body: Object.fromEntries(books.byId) satisfies Record<string, AskedAndAnswered> };
    }
    return errorReply(404, `There is no ${method} ${path} here`);
  };

  const server = createServer((request, response) => {
    route(request, response)
      .then((reply) => reply && send(response, reply))
      .catch((error: unknown) => {
        if (!response.headersSent) send(response, errorReply(500, String(error)));
      });
  });
  // As long as OpenAI's: a connection must not be closed while a client sends a request.
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const actualPort = (server.address() as AddressInfo).port;
  return {
    baseUrl: `http://127.0.0.1:${actualPort}/v1`,
    port: actualPort,
    counts,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const models = { object: 'list', data: [{ id: modelName, object: 'model', created: 0, owned_by: 'local' }] };

function replyOfFault(fault: Exclude<Fault, { kind: 'cut_connection' | 'refused' }>): Reply {
  if (fault.kind === 'nonsense') return { status: 200, body: { weather: 'fine' } };
  if (fault.kind === 'malformed') {
    return { status: 200, body: Buffer.from('{"id":"chatcmpl-'), headers: { 'content-type': 'application/json' } };
  }
  const headers: Record<string, string> = emptyRecord();
  if (fault.retryAfterSeconds !== undefined) headers['retry-after'] = String(fault.retryAfterSeconds);
  if (fault.retryAfterMilliseconds !== undefined) headers['retry-after-ms'] = String(fault.retryAfterMilliseconds);
  return errorReply(fault.status, 'A fault that was asked for', fault.code ?? null, headers);
}

/** The stored answers whose metadata has all values of the query. */
function listStored(stored: readonly ChatCompletion[], query: URLSearchParams): object {
  const wanted = [...query].flatMap(([key, value]) => {
    const name = /^metadata\[(.+)\]$/.exec(key)?.[1];
    return name === undefined ? [] : [[name, value] as const];
  });
  const data = stored.filter(({ metadata }) => wanted.every(([name, value]) => metadata?.[name] === value));
  return { object: 'list', data: data.slice(0, Number(query.get('limit') ?? 20)), has_more: false };
}

/**
 * No page in a browser may use the teacher: a browser names the page's origin, or comes under the host name of the page
 * when that has been pointed to this machine.
 */
function comesFromThisMachine({ headers, socket }: IncomingMessage): boolean {
  const hosts = ['127.0.0.1', 'localhost'].map((name) => `${name}:${socket.localPort}`);
  return headers.origin === undefined && hosts.includes(headers.host ?? '');
}
