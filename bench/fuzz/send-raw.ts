/** Requests as bytes on a socket: what no client would send. */
import { connect } from 'node:net';
import fc from 'fast-check';
import { bytesLike, hostileText } from './arbitraries.ts';

export interface RawRequest {
  method: string;
  path: string;
  headers: (readonly [name: string, value: string])[];
  body: Buffer;
  /** Bytes that `content-length` counts too much or too little. */
  lengthOff: number;
}

/** A request that the server takes, to make others from. */
export interface ValidRequest {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

/** Requests near the valid ones: with other methods, paths, headers and bodies, or broken as HTTP. */
export function requestsLike(valid: readonly ValidRequest[], port: number): fc.Arbitrary<RawRequest> {
  const host = `127.0.0.1:${port}`;
  const paths = valid.map(({ path }) => path);
  const path = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...paths) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom(...paths), hostileText)
        .map(([start, end]) => start + encodeURI(Buffer.from(end).toString())),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom('//', '/', '/..', '/%', '*', '', `http://${host}/`, '/\\', '/?limit=-1&after=x'),
    },
    { weight: 1, arbitrary: hostileText },
  );
  const value = fc.oneof(
    fc.constantFrom('', '*/*', 'null', 'close', 'chunked', '100-continue', 'bytes=0-', '-1'),
    hostileText,
  );
  const name = fc.oneof(
    fc.constantFrom(
      'origin',
      'host',
      'content-type',
      'content-length',
      'transfer-encoding',
      'expect',
      'range',
      'upgrade',
    ),
    fc.constantFrom('cookie', 'x-client-request-id', 'x-namespace', 'authorization', 'x-forwarded-for', '__proto__'),
    hostileText,
  );
  return fc.constantFrom(...valid).chain(({ method, headers = {}, body = '' }) =>
    fc.record({
      method: fc.oneof(
        { weight: 6, arbitrary: fc.constant(method) },
        { weight: 2, arbitrary: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE') },
        { weight: 1, arbitrary: hostileText },
      ),
      path,
      headers: fc
        .tuple(
          fc.oneof({ weight: 9, arbitrary: fc.constant(host) }, { weight: 1, arbitrary: hostileText }),
          fc.array(fc.tuple(name, value), { maxLength: 2 }),
        )
        .map(([given, more]) => [['host', given] as const, ...Object.entries(headers), ...more]),
      body: fc.oneof(
        { weight: 1, arbitrary: fc.constant(Buffer.from(body)) },
        { weight: 4, arbitrary: bytesLike(Buffer.from(body)) },
      ),
      lengthOff: fc.oneof(
        { weight: 9, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.constantFrom(-3, 5, 1e9) },
      ),
    }),
  );
}

/** How long a server may take for an answer. */
const answerMilliseconds = 10_000;
/** Of a broken request nothing more may come. */
const silentMilliseconds = 100;

/** The status of the answer; undefined where there is none, as there need be none to what is no HTTP. */
export async function sendRaw(port: number, request: RawRequest): Promise<number | undefined> {
  const { method, path, headers, body, lengthOff } = request;
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Math.max(0, body.length + lengthOff)}`,
    'connection: close',
  ];
  const bytes = Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]);
  const socket = connect(port, '127.0.0.1');
  const limit = isHttp(request) ? answerMilliseconds : silentMilliseconds;
  let answer = '';
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        if (limit === answerMilliseconds) reject(new Error('the server does not answer'));
        else resolve();
      }, limit);
      socket.on('data', (piece) => {
        answer += piece.toString('latin1');
      });
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      // It may close the connection before all was sent.
      socket.on('error', () => undefined);
      socket.write(bytes);
    });
  } finally {
    socket.destroy();
  }
  const status = /^HTTP\/1\.1 (\d{3})/.exec(answer.replace(/^HTTP\/1\.1 100 [^\r]*\r\n\r\n/, ''))?.[1];
  return status === undefined ? undefined : Number(status);
}

/** Whether it is whole, and HTTP: then there must be an answer. */
export function isHttp({ method, path, headers, lengthOff }: RawRequest): boolean {
  const names = headers.map(([name]) => name.toLowerCase());
  return (
    lengthOff === 0 &&
    /^(GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH|TRACE)$/.test(method) &&
    /^[\x21-\x7e]{1,2000}$/.test(path) &&
    headers.every(([name, value]) => /^[a-z_-]+$/.test(name) && /^[\x20-\x7e]{0,500}$/.test(value)) &&
    new Set(names).size === names.length &&
    !names.some((name) => ['content-length', 'transfer-encoding', 'expect', 'upgrade'].includes(name))
  );
}

export function showRequest({ method, path, headers, body, lengthOff }: RawRequest): string {
  const written = headers.map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(', ');
  const length = lengthOff === 0 ? '' : `, content-length off by ${lengthOff}`;
  return `${JSON.stringify(method)} ${JSON.stringify(path)} (${written}${length}) ${JSON.stringify(body.toString('latin1'))}`;
}
