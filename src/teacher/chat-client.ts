import {
  type IncomingMessage,
  type OutgoingHttpHeaders,
  Agent as PlainAgent,
  request as plainRequest,
} from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';

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

/**
 * A `fetch` for the `openai` client that sends and receives short messages over Node's own HTTP client: less
 * processor time a request than the built-in `fetch` (figures in `docs/teacher.md`). Uploads, streams and bodies other
 * than text use the built-in one. It follows no redirects: an API sends none.
 *
 * @throws the socket's error, with its `code`; an AbortError when the signal is aborted.
 */
async function leanFetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  const { method = 'GET', body, signal } = init;
  if (input instanceof Request || (body !== undefined && body !== null && typeof body !== 'string')) {
    return fetch(input, init);
  }
  const url = new URL(input);
  const headers: OutgoingHttpHeaders = {};
  new Headers(init.headers).forEach((value, name) => {
    headers[name] = value;
  });
  if (typeof body === 'string') headers['content-length'] = Buffer.byteLength(body);
  const isPlain = url.protocol === 'http:';
  const options = { method, headers, ...(signal ? { signal } : {}), agent: isPlain ? agents.http : agents.https };
  const { answer, received } = await new Promise<{ answer: IncomingMessage; received: Buffer }>((resolve, reject) => {
    const take = (answer: IncomingMessage) => {
      const pieces: Buffer[] = [];
      answer
        .on('data', (piece: Buffer) => pieces.push(piece))
        .on('error', reject)
        .on('end', () => resolve({ answer, received: Buffer.concat(pieces) }));
    };
    (isPlain ? plainRequest : secureRequest)(url, options, take)
      .on('error', reject)
      .end(body ?? undefined);
  });
  const status = answer.statusCode ?? 0;
  // A response with one of these statuses must have no body, not even an empty one.
  const hasNoBody = status === 204 || status === 205 || status === 304;
  return new Response(hasNoBody ? null : received, {
    status,
    statusText: answer.statusMessage ?? '',
    headers: Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
      values.map((value): [string, string] => [name, value]),
    ),
  });
}
