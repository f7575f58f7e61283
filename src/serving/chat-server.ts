/**
 * A server of OpenAI's chat completions for one engine. Node's HTTP is used as it is, as for the other pages: routes are few,
 * and limits, checks and streams are needed in any case.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { budget } from '../core/budget.ts';
import { InputError } from '../core/input-error.ts';
import { readRequestBody } from '../core/request-body.ts';
import { Admission, type Admitted } from './admission.ts';
import { answerInPieces, answerWhole } from './answer-chat.ts';
import { ApiError } from './api-error.ts';
import { type ChatCall, parseChatRequest } from './chat-request.ts';
import { modelList } from './chat-response.ts';
import { checkImages } from './check-images.ts';
import type { Engine } from './engine.ts';
import { hostInUrl, requireJson, requireKey, requireOwnPage } from './guard.ts';
import { Metrics } from './metrics.ts';
import { chatPage, newNonce, pageHeaders } from './page.ts';

export interface ChatServerSettings {
  host: string;
  /** 0 takes any free one. */
  port: number;
  /** Of a proxy in front of it, such as `https://models.example.org`: the page may be opened there. */
  origin?: string | undefined;
  /** What clients must send; undefined: nothing. */
  key?: string | undefined;
  /** Answers that are computed or wait at a time; a request for more is refused with 429. */
  mostAnswers: number;
  /** The largest body of a request. */
  bodyBytes: number;
  /** Pixels of all images of a request. */
  imagePixels: number;
  /** Tokens of an answer, where the request says none. */
  defaultMaxTokens: number;
  /** How long a client may leave its stream unread before it counts as one that left. Default: a minute. */
  stallMilliseconds?: number | undefined;
  /** Is given why a request could not be answered: the client is not told. */
  report(error: unknown): void;
}

export interface ChatServer {
  address: string;
  /** Takes no more requests, lets those under way end for so long, and cancels what is left. The engine is not closed. */
  close(graceMilliseconds: number): Promise<void>;
}

/** All bodies in memory, in largest ones. */
const mostLargestBodies = 8;
/** How long a client may take to send a request. */
const [headersTimeout, requestTimeout] = [20_000, 120_000];
/** How long a client may go on sending what was refused. */
const [lingerMilliseconds, mostUnreadBytes] = [5000, 64 * 1024 * 1024];
/** More connections than these wait for nothing: they are closed. */
const mostConnections = 1000;

/** Requests whose images are opened at a time: a few fill all cores, and more hold memory. */
const openingImages = budget(2);

const engineEnded = "The model's process has ended. Start the server again; its terminal shows what ended it";

const jsonType = 'application/json; charset=utf-8';
const plainHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** Starts it. @throws InputError where the address can't be listened on */
export async function serveChat(engine: Engine, settings: ChatServerSettings): Promise<ChatServer> {
  const { key, bodyBytes, mostAnswers, stallMilliseconds = 60_000 } = settings;
  const metrics = new Metrics();
  const admission = new Admission({ answers: mostAnswers, bytes: mostLargestBodies * bodyBytes });
  const underWay = new Set<AbortController>();
  const created = Math.floor(Date.now() / 1000);
  let isStopping = false;
  let hasFailed = false;
  let listening = { host: settings.host, port: settings.port, origin: settings.origin };

  const routes: Record<
    string,
    Partial<Record<string, (request: IncomingMessage, response: ServerResponse) => unknown>>
  > = {
    '/': {
      GET(_request, response) {
        const nonce = newNonce();
        response.writeHead(200, { ...plainHeaders, ...pageHeaders(nonce) }).end(chatPage(nonce));
      },
    },
    '/health': {
      GET(_request, response) {
        const state = isStopping ? 'stopping' : hasFailed || engine.hasEnded ? 'failed' : 'ok';
        sendJson(response, state === 'ok' ? 200 : 503, { state, answers: admission.answers, mostAnswers });
      },
    },
    '/metrics': {
      GET(_request, response) {
        metrics.set('dataengine_serve_answers', 'Answers that are computed or wait', admission.answers);
        metrics.set('dataengine_serve_answers_limit', 'The most of them', mostAnswers);
        response.writeHead(200, { ...plainHeaders, 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
        response.end(metrics.text());
      },
    },
    '/v1/models': {
      GET(request, response) {
        requireKey(request.headers, key);
        sendJson(response, 200, modelList(engine.models, created));
      },
    },
    '/v1/models/': {
      GET(request, response) {
        requireKey(request.headers, key);
        const name = nameIn(request.url ?? '');
        requireModel(name, null);
        sendJson(response, 200, modelList(engine.models, created).data.find(({ id }) => id === name) ?? {});
      },
    },
    '/v1/chat/completions': { POST: chat },
  };

  function requireModel(name: string, param: 'model' | null): void {
    if (engine.models.includes(name)) return;
    const message = `There is no model ${JSON.stringify(name.slice(0, 200))} here. GET /v1/models lists them`;
    throw new ApiError({ status: 404, message, code: 'model_not_found', ...(param && { param }) });
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requireOwnPage(request.headers, listening);
    const [path = ''] = (request.url ?? '').split('?', 1);
    const route = Object.hasOwn(routes, path)
      ? routes[path]
      : path.startsWith('/v1/models/')
        ? routes['/v1/models/']
        : undefined;
    if (route === undefined) throw new ApiError({ status: 404, message: 'There is nothing here', code: 'not_found' });
    const work = route[request.method ?? ''];
    if (work === undefined) {
      response.setHeader('allow', Object.keys(route).join());
      throw new ApiError({ status: 405, message: `Use ${Object.keys(route).join()}`, code: 'method_not_allowed' });
    }
    await work(request, response);
  }

  async function chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requireKey(request.headers, key);
    requireJson(request.headers);
    if (isStopping) throw overloaded(503, 'The server is stopping');
    // The first one to notice is given to `report`.
    if (engine.hasEnded && hasFailed) throw new ApiError({ status: 503, message: engineEnded, code: 'engine_ended' });
    const declared = Number(request.headers['content-length'] ?? bodyBytes);
    const place = admission.enter(Math.min(declared, bodyBytes));
    if (place === undefined) throw overloaded(429, 'All places are taken');
    const canceling = new AbortController();
    underWay.add(canceling);
    response.once('close', () => {
      if (!response.writableFinished) canceling.abort(new Error('the client left'));
    });
    const start = performance.now();
    try {
      const call = await readCall(request, place);
      await respond(call, response, canceling.signal, start);
      hasFailed = false;
    } catch (error) {
      // What the engine was canceled for, whatever it says.
      throw canceling.signal.aborted ? canceling.signal.reason : error;
    } finally {
      underWay.delete(canceling);
      place.leave();
      metrics.observe('dataengine_serve_request_seconds', 'From the head of a request to its end', secondsSince(start));
    }
  }

  async function readCall(request: IncomingMessage, place: Admitted): Promise<ChatCall> {
    const body = await readRequestBody(request, bodyBytes);
    if (body === undefined) {
      const message = `A request may have ${bodyBytes} bytes, its images as base64 among them (--max-body-mib)`;
      throw new ApiError({ status: 413, message, code: 'request_too_large' });
    }
    const call = parseChatRequest(body.toString('utf8'));
    requireModel(call.model, 'model');
    if (call.choices > mostAnswers) {
      const message = `n: this server writes ${mostAnswers} answers at a time`;
      throw new ApiError({ status: 400, message, param: 'n', code: 'invalid_value' });
    }
    if (!place.widen(call.choices - 1)) throw overloaded(429, `There is no place for ${call.choices} answers`);
    await openingImages(1, () => checkImages(call, settings.imagePixels));
    return call;
  }

  async function respond(call: ChatCall, response: ServerResponse, signal: AbortSignal, start: number): Promise<void> {
    const labels = { model: call.model };
    const answering = {
      engine,
      signal,
      defaultMaxTokens: settings.defaultMaxTokens,
      onToken(isFirst: boolean) {
        metrics.count('dataengine_serve_completion_tokens_total', 'Tokens written', labels);
        if (!isFirst) return;
        metrics.observe('dataengine_serve_first_token_seconds', 'To the first token of an answer', secondsSince(start));
      },
      onEnd({ promptTokens }: { promptTokens: number }) {
        metrics.count('dataengine_serve_prompt_tokens_total', 'Tokens of prompts', labels, promptTokens);
      },
    };
    if (!call.stream) return sendJson(response, 200, await answerWhole(call, answering));
    await answerInPieces(call, answering, async (piece) => {
      if (!response.headersSent) response.writeHead(200, { ...plainHeaders, 'content-type': 'text/event-stream' });
      await sendEvent(response, JSON.stringify(piece), { signal, stallMilliseconds });
    });
    await sendEvent(response, '[DONE]', { signal, stallMilliseconds });
    response.end();
  }

  const overloaded = (status: 429 | 503, problem: string) =>
    new ApiError({
      status,
      message: `${problem}. Ask again in ${admission.retryAfter} s`,
      code: status === 429 ? 'rate_limit_exceeded' : 'stopping',
      retryAfter: admission.retryAfter,
    });

  function fail(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    // The client left.
    if (response.destroyed) return;
    const known = apiErrorOf(error);
    if (known === undefined) {
      hasFailed = true;
      settings.report(error);
    }
    const { status, retryAfter, body } =
      known ??
      new ApiError({ status: 500, message: 'The answer failed. The terminal of the server shows why', code: 'failed' });
    if (response.headersSent) {
      response.end(`data: ${JSON.stringify(body)}\n\n`);
      return;
    }
    sendJson(response, status, body, retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) });
    leaveUnread(request);
  }

  const server = createServer({ headersTimeout, requestTimeout }, (request, response) => {
    response.once('close', () => {
      const status = response.writableFinished ? String(response.statusCode) : 'cut';
      metrics.count('dataengine_serve_requests_total', 'Requests by the status of their answer', { status });
      if (isStopping) setImmediate(() => server.closeIdleConnections());
    });
    answer(request, response).catch((error: unknown) => fail(error, request, response));
  });
  server.maxConnections = mostConnections;
  await listen(server, settings);
  listening = { ...listening, port: (server.address() as AddressInfo).port };

  return {
    address: `http://${hostInUrl(settings.host)}:${listening.port}/`,
    async close(graceMilliseconds) {
      isStopping = true;
      const closed = once(server, 'close');
      server.close();
      const stopping = new ApiError({ status: 503, message: 'The server has stopped', code: 'stopping' });
      const cancel = () => {
        for (const canceling of underWay) canceling.abort(stopping);
        // What says so to the clients is sent first.
        setTimeout(() => server.closeAllConnections(), 100);
      };
      const timer = setTimeout(cancel, graceMilliseconds);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Most clients read an answer only when they have sent all: the rest of a refused request is thrown away, as far as limits allow. */
function leaveUnread(request: IncomingMessage): void {
  if (request.complete) return;
  let bytes = 0;
  request.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > mostUnreadBytes) request.socket.destroy();
  });
  request.resume();
  const timer = setTimeout(() => request.socket.destroy(), lingerMilliseconds).unref();
  request.once('close', () => clearTimeout(timer));
}

/** What the answer says of an error; undefined where it is none of the client's business. */
function apiErrorOf(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error;
  if (!(error instanceof InputError)) return undefined;
  const { field, problem, remedy } = error;
  const message = `${field === undefined ? '' : `${field}: `}${problem}. ${remedy}`;
  return new ApiError({ status: 400, message, param: field, code: 'invalid_value' });
}

/** Before a model is loaded, which may take minutes. @throws InputError where the address can't be listened on */
export async function requireFreeAddress(address: Pick<ChatServerSettings, 'host' | 'port'>): Promise<void> {
  const probe = createServer();
  await listen(probe, address);
  probe.close();
  await once(probe, 'close');
}

async function listen(
  server: ReturnType<typeof createServer>,
  { host, port }: Pick<ChatServerSettings, 'host' | 'port'>,
): Promise<void> {
  server.listen(port, host);
  await once(server, 'listening').catch((cause: NodeJS.ErrnoException) => {
    const problem = `can't be listened on at ${host} (${cause.code})`;
    const remedy = 'Name another one with --port or --host; port 0 takes any that is free';
    throw new InputError({ file: 'command line', field: `port ${port}`, problem, remedy }, { cause });
  });
}

function sendJson(response: ServerResponse, status: number, value: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { ...plainHeaders, 'content-type': jsonType, ...headers }).end(JSON.stringify(value));
}

/** Sends an event, and waits while the client takes none: its connection is closed when that takes too long. @throws the signal's reason */
async function sendEvent(
  response: ServerResponse,
  data: string,
  { signal, stallMilliseconds }: { signal: AbortSignal; stallMilliseconds: number },
): Promise<void> {
  if (response.write(`data: ${data}\n\n`)) return;
  const timer = setTimeout(() => response.destroy(), stallMilliseconds);
  try {
    await once(response, 'drain', { signal }).catch(() => signal.throwIfAborted());
  } finally {
    clearTimeout(timer);
  }
}

function nameIn(url: string): string {
  try {
    return decodeURIComponent(url.slice('/v1/models/'.length).replace(/\?.*$/s, ''));
  } catch {
    return '';
  }
}

const secondsSince = (start: number) => (performance.now() - start) / 1000;
