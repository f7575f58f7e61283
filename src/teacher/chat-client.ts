import {
  type IncomingMessage,
  type OutgoingHttpHeaders,
  Agent as PlainAgent,
  request as plainRequest,
} from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { connect as connectSecurely } from 'node:tls';
import { promisify } from 'node:util';
import { brotliDecompress, inflate, unzip } from 'node:zlib';
import { valueIn } from '../core/records.ts';

/**
 * A connection stays open for the next request, but not for long: many servers close it after 5 seconds, and a request
 * sent at that moment is lost. The caller limits the number of connections.
 */
const keeping = { keepAlive: true, timeout: 4000 };
const agents = { http: new PlainAgent(keeping), https: new SecureAgent(keeping) };

/** The options of all clients. A client never retries by itself: its caller knows how long the whole work may take. */
export function clientOptions({ requestTimeoutSeconds }: { requestTimeoutSeconds: number }) {
  return { fetch: leanFetch, maxRetries: 0, timeout: requestTimeoutSeconds * 1000, logLevel: 'off' as const };
}

/** What a client is given of an account: nothing of the environment that no config and no setting of a worker binds to a host. */
export const noAccount = { organization: null, project: null, adminAPIKey: null, webhookSecret: null };

/**
 * Whether an address is OpenAI's own, regions such as `eu.api.openai.com` included. What else the environment says of an
 * account there (OPENAI_ORG_ID, OPENAI_PROJECT_ID, OPENAI_CUSTOM_HEADERS) goes nowhere else.
 */
export function isOpenAi(address: string): boolean {
  const { protocol, host } = new URL(address);
  return protocol === 'https:' && /^([a-z]+\.)?api\.openai\.com$/.test(host);
}

/**
 * A `fetch` for the `openai` client that sends and receives short messages over Node's own HTTP client: less
 * processor time a request than the built-in `fetch` (figures in `docs/teacher.md`). Uploads, streams and bodies other
 * than text use the built-in one. Neither follows a redirect, which could lead the key to another host: the error for one
 * names the new address.
 *
 * @throws the socket's error, with its `code`, or that of a body that can't be decompressed; an AbortError when the signal
 *   is aborted.
 */
async function leanFetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  const { method = 'GET', body, signal } = init;
  if (input instanceof Request || (body !== undefined && body !== null && typeof body !== 'string')) {
    return fetch(input, { ...init, redirect: 'manual' });
  }
  const url = new URL(input);
  const headers: OutgoingHttpHeaders = {};
  new Headers(init.headers).forEach((value, name) => {
    headers[name] = value;
  });
  if (typeof body === 'string') headers['content-length'] = Buffer.byteLength(body);
  const isPlain = url.protocol === 'http:';
  const mostBytes = mostBytesOf(url);
  const options = { method, headers, ...(signal ? { signal } : {}), agent: isPlain ? agents.http : agents.https };
  const { answer, received } = await new Promise<{ answer: IncomingMessage; received: Buffer }>((resolve, reject) => {
    const take = (answer: IncomingMessage) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      answer
        .on('data', (piece: Buffer) => {
          bytes += piece.length;
          if (bytes > mostBytes) answer.destroy(new Error(`The answer has more than ${mostBytes} bytes`));
          else pieces.push(piece);
        })
        .on('error', reject)
        .on('end', () => resolve({ answer, received: Buffer.concat(pieces) }));
    };
    const request = (isPlain ? plainRequest : secureRequest)(url, options, take);
    request
      .on('error', async (error: NodeJS.ErrnoException) => {
        const isCut = isPlain && !request.reusedSocket && error.code === 'ECONNRESET' && !signal?.aborted;
        reject(isCut && (await speaksTls(url)) ? new SpeaksTls() : error);
      })
      .end(body ?? undefined);
  });
  const status = answer.statusCode ?? 0;
  // A response with one of these statuses must have no body, not even an empty one.
  const hasNoBody = status === 204 || status === 205 || status === 304;
  const plain = await decompress(received, answer.headers['content-encoding'], mostBytes);
  return new Response(hasNoBody ? null : status >= 400 ? withErrorObject(plain) : plain, {
    status,
    statusText: answer.statusMessage ?? '',
    headers: Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
      name === 'content-encoding' ? [] : values.map((value): [string, string] => [name, value]),
    ),
  });
}

/** A server that speaks TLS alone was asked without: it closes such connections without a word. */
export class SpeaksTls extends Error {
  override readonly name = 'SpeaksTls';
  constructor() {
    super('the server speaks TLS, and its address begins with http:');
  }
}

const handshakeMilliseconds = 5000;

/** Whether what listens at an address answers a TLS greeting, if only by an alert. Its certificate does not matter: nothing is sent. */
function speaksTls({ hostname, port }: URL): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connectSecurely({ host, port: Number(port) || 80, rejectUnauthorized: false });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket
      .setTimeout(handshakeMilliseconds, () => end(false))
      .on('error', ({ code = '' }: NodeJS.ErrnoException) => end(/ALERT/.test(code)))
      .on('close', () => end(false))
      .on('secureConnect', () => end(true));
  });
}

/**
 * An answer of the longest requests has some hundred kilobytes; a small body may unpack to gigabytes. Many are read at a time,
 * and a text takes several times its bytes. The file of a batch has all of its answers.
 */
function mostBytesOf({ pathname }: URL): number {
  return pathname.endsWith('/chat/completions') ? 8e6 : 64e6;
}

type Limit = { maxOutputLength: number };
const decompressors = {
  gzip: promisify<Buffer, Limit, Buffer>(unzip),
  'x-gzip': promisify<Buffer, Limit, Buffer>(unzip),
  deflate: promisify<Buffer, Limit, Buffer>(inflate),
  br: promisify<Buffer, Limit, Buffer>(brotliDecompress),
};

// Some servers compress without being asked to.
async function decompress(data: Buffer, encoding: string | undefined, maxOutputLength: number): Promise<Buffer> {
  const read = valueIn(decompressors, encoding?.trim().toLowerCase() ?? '');
  return read === undefined || data.length === 0 ? data : read(data, { maxOutputLength });
}

/** The client reads the words of an error in `error` alone; older vLLM servers and gateways write them beside it. */
function withErrorObject(body: Buffer): Buffer {
  try {
    const value: unknown = JSON.parse(body.toString());
    if (typeof value !== 'object' || value === null || 'error' in value) return body;
    const message = 'message' in value ? value.message : 'detail' in value ? value.detail : undefined;
    if (message === undefined) return body;
    const words = typeof message === 'string' ? message : JSON.stringify(message);
    return Buffer.from(JSON.stringify({ error: { ...value, message: words } }));
  } catch {
    return body;
  }
}
