import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { hashBytes } from '../../store/hash.ts';
import { answerPrompt, type LocalAnswer } from './answer-prompt.ts';
import { countTokens } from './count-tokens.ts';
import { type Faults, faultOf } from './faults.ts';

/** What a local teacher has done so far. */
export interface LocalTeacherCounts {
  /** Requests for a completion, failed ones included. */
  requests: number;
  answered: number;
  /** Answers to a prompt that was answered before. */
  repeated: number;
  byKind: Partial<Record<LocalAnswer['kind'], number>>;
  promptTokens: number;
  completionTokens: number;
}

/** A running server. */
export interface LocalTeacher {
  /** Such as `http://127.0.0.1:8787/v1`. */
  baseUrl: string;
  port: number;
  counts: () => LocalTeacherCounts;
  close: () => Promise<void>;
}

const modelName = 'local-teacher';
const maximumBodyBytes = 4 * 1024 * 1024;

const textPart = z.object({ type: z.literal('text'), text: z.string() });
const chatRequest = z.object({
  model: z.string(),
  messages: z
    .array(
      z.object({ role: z.string(), content: z.union([z.string(), z.array(z.union([textPart, z.looseObject({})]))]) }),
    )
    .min(1),
  stream: z.literal(false).nullish(),
});

/**
 * Starts a server on this machine that speaks OpenAI's chat-completions protocol and answers by rules, so that the
 * loop runs with no key and no network. It knows nothing but the prompts that it is sent.
 *
 * @param options.port 0 takes any that is free
 * @param options.mistakeRate share of the questions that get a mistake, 0 to 1
 * @param options.faults what goes wrong on the way, for tests
 */
export async function startLocalTeacher(
  options: { port?: number; mistakeRate?: number; seed?: number | string; faults?: Faults } = {},
): Promise<LocalTeacher> {
  const { port = 0, mistakeRate = 0, seed = 1, faults = {} } = options;
  const counts: LocalTeacherCounts = {
    requests: 0,
    answered: 0,
    repeated: 0,
    byKind: {},
    promptTokens: 0,
    completionTokens: 0,
  };
  const seen = new Set<string>();

  const complete = async (request: IncomingMessage, response: ServerResponse) => {
    const fault = faultOf(faults, seed, counts.requests);
    counts.requests += 1;
    const body = await readBody(request);
    if (faults.latencyMilliseconds) await wait(faults.latencyMilliseconds);
    if (faults.requiredKey !== undefined && request.headers.authorization !== `Bearer ${faults.requiredKey}`) {
      return sendError(response, 401, 'Incorrect API key provided', 'invalid_api_key');
    }
    if (fault?.kind === 'cut_connection') return void request.socket.destroy();
    if (fault?.kind === 'nonsense') return sendJson(response, 200, { weather: 'fine' });
    if (fault?.kind === 'status') {
      if (fault.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(fault.retryAfterSeconds));
      if (fault.retryAfterMilliseconds !== undefined)
        response.setHeader('retry-after-ms', String(fault.retryAfterMilliseconds));
      return sendError(response, fault.status, 'A fault that was asked for', fault.code ?? null);
    }
    const parsed = body === undefined ? undefined : chatRequest.safeParse(parseOrUndefined(body));
    if (!parsed) return sendError(response, 413, 'The request is too large', null);
    if (!parsed.success) return sendError(response, 400, z.prettifyError(parsed.error), null);

    const prompt = parsed.data.messages.map(({ content }) => textOf(content)).join('\n\n');
    const answer = answerPrompt(prompt, { mistakeRate, seed });
    const completion = completionOf(prompt, answer);
    counts.answered += 1;
    counts.repeated += seen.has(completion.id) ? 1 : 0;
    seen.add(completion.id);
    counts.byKind[answer.kind] = (counts.byKind[answer.kind] ?? 0) + 1;
    counts.promptTokens += completion.usage.prompt_tokens;
    counts.completionTokens += completion.usage.completion_tokens;
    sendJson(response, 200, completion);
  };

  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    if (request.method === 'POST' && path === '/v1/chat/completions') {
      complete(request, response).catch((error: unknown) => {
        if (!response.headersSent) sendError(response, 500, String(error), null);
      });
    } else if (request.method === 'GET' && path === '/v1/models') {
      sendJson(response, 200, {
        object: 'list',
        data: [{ id: modelName, object: 'model', created: 0, owned_by: 'local' }],
      });
    } else {
      sendError(response, 404, `There is no ${request.method} ${path} here`, null);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const actualPort = (server.address() as AddressInfo).port;
  return {
    baseUrl: `http://127.0.0.1:${actualPort}/v1`,
    port: actualPort,
    counts: () => structuredClone(counts),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function completionOf(prompt: string, answer: LocalAnswer) {
  const promptTokens = countTokens(prompt);
  const completionTokens = countTokens(answer.text);
  return {
    id: `chatcmpl-${hashBytes(prompt).slice(0, 29)}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: modelName,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: answer.text, refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
    },
  };
}

function textOf(content: z.output<typeof chatRequest>['messages'][number]['content']): string {
  if (typeof content === 'string') return content;
  return content.flatMap((part) => textPart.safeParse(part).data?.text ?? []).join('\n');
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes <= maximumBodyBytes) pieces.push(piece);
  }
  return bytes <= maximumBodyBytes ? Buffer.concat(pieces).toString('utf8') : undefined;
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

// The shape of OpenAI's errors.
function sendError(response: ServerResponse, status: number, message: string, code: string | null): void {
  const type = status >= 500 ? 'server_error' : status === 429 ? 'requests' : 'invalid_request_error';
  sendJson(response, status, { error: { message, type, param: null, code } });
}
