/**
 * Temporal's remote codec: encrypts and decrypts payloads for the UI and for `temporal --codec-endpoint`.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApplicationFailure, type PayloadCodec } from '@temporalio/common';
import { z } from 'zod';
import { readRequestBody } from '../src/core/request-body.ts';

export interface CodecServerOptions {
  codec: PayloadCodec;
  /** 0 takes any free one. */
  port: number;
  /** Origin of the UI, such as `http://localhost:8233`: the only one that a browser may call from. */
  ui: string;
  /** The only namespace that is served. */
  namespace: string;
}

export interface CodecServer {
  address: string;
  close(): Promise<void>;
}

const maximumBodyBytes = 16 * 1024 * 1024;
const base64 = z.base64().transform((text) => new Uint8Array(Buffer.from(text, 'base64')));
const bodySchema = z.object({
  payloads: z
    .array(z.object({ metadata: z.record(z.string(), base64).default({}), data: base64.default(new Uint8Array()) }))
    .default([]),
});

/** Serves `POST /encode` and `POST /decode` to this machine alone. Browsers may call from the UI's page only. */
export async function serveCodec({ codec, port, ui, namespace }: CodecServerOptions): Promise<CodecServer> {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { host, origin, 'content-type': type = '', 'x-namespace': given } = request.headers;
    const { port: actual } = server.address() as AddressInfo;
    const allowed = [`127.0.0.1:${actual}`, `localhost:${actual}`];
    if (!allowed.includes(host ?? '')) return send(response, 403, 'Refused');
    if (origin !== undefined && origin !== ui) return send(response, 403, `Refused: only ${ui} may call`);
    if (origin !== undefined) allowOrigin(response, origin);
    if (request.url !== '/encode' && request.url !== '/decode') return send(response, 404, 'Not found');
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    if (request.method !== 'POST') return send(response, 405, 'Not allowed');
    // Requests of this type a page may send only after a preflight, which other origins do not get.
    if (!/^application\/json\s*(;|$)/i.test(type)) return send(response, 415, 'Send application/json');
    if (given !== namespace) return send(response, 403, `Refused: X-Namespace must be ${namespace}`);
    const body = await readRequestBody(request, maximumBodyBytes);
    if (body === undefined) return send(response, 413, `A body may have ${maximumBodyBytes} bytes`);
    const parsed = bodySchema.safeParse(jsonOrUndefined(body.toString('utf8')));
    if (!parsed.success) return send(response, 400, 'The body is not a list of payloads');
    const payloads = await codec[request.url === '/encode' ? 'encode' : 'decode'](parsed.data.payloads);
    const result = payloads.map(({ metadata, data }) => ({
      metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, toBase64(value)])),
      data: toBase64(data),
    }));
    response.writeHead(200, { ...headers, 'content-type': 'application/json' });
    response.end(JSON.stringify({ payloads: result }));
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) return;
      // The message of an unknown key or a changed payload has nothing of either.
      if (error instanceof ApplicationFailure) send(response, 422, error.message);
      else send(response, 500, 'Failed');
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', vary: 'origin' };

function allowOrigin(response: ServerResponse, origin: string): void {
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-allow-methods', 'POST');
  response.setHeader('access-control-allow-headers', 'content-type, x-namespace, authorization');
  // The UI sends cookies of its own origin where it is told to.
  response.setHeader('access-control-allow-credentials', 'true');
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...headers, 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

const toBase64 = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString('base64');

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
