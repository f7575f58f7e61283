/** Serves a page to the browser of whoever typed the command, on this machine alone. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { portableImage } from '../src/core/images/open-image.ts';
import { readRequestBody } from '../src/core/request-body.ts';

export interface LocalPage {
  /** With a key; requests without it get no answer. */
  address: string;
  /** Resolves when the page has said that it is done, or the signal is aborted. */
  ended(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** What an answer to a request is. */
export type PageAnswer =
  | { html: string; status?: number /** Nothing follows: the server may end. */; done?: boolean }
  | { seeOther: string }
  | { refused: string; status: 400 | 404 };

export interface PageContent {
  /** @param nonce by which a script of the page may run */
  show(query: URLSearchParams, nonce: string): Promise<PageAnswer>;
  /** Takes a form, each of whose fields is there once. */
  take(form: Record<string, string>, nonce: string): Promise<PageAnswer>;
  /** The file of an image, by what the page calls it. */
  imageFile(id: string): Promise<string | undefined>;
}

/** A text field of a form. Browsers send a line break as two characters, and count it as one. */
export const formText = z.string().overwrite((text) => text.replaceAll('\r\n', '\n').trim());

const maximumBodyBytes = 64 * 1024;
const formType = 'application/x-www-form-urlencoded';

/**
 * Serves a page to this machine alone. The address has a random key in it, requests under another host name are refused, and so
 * are forms of another page, so that no other page in the browser can reach it.
 *
 * @param options.script whether the page has one
 * @param options.report is given why a request could not be answered
 */
export async function serveLocalPage(
  content: PageContent,
  {
    port,
    script = false,
    report = () => undefined,
  }: { port: number; script?: boolean; report?: ((error: unknown) => void) | undefined },
): Promise<LocalPage> {
  const key = randomBytes(16).toString('hex');
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { port: actual } = server.address() as AddressInfo;
    const allowed = [`127.0.0.1:${actual}`, `localhost:${actual}`];
    const [place = '', query = ''] = (request.url ?? '').split(/\?(.*)/s);
    const [, given, page, id] = place.split('/');
    if (!allowed.includes(request.headers.host ?? '') || given !== key) return send(response, 404, 'Not found');
    const { origin } = request.headers;
    if (origin !== undefined && !allowed.some((host) => origin === `http://${host}`)) {
      return send(response, 403, 'Refused');
    }
    const nonce = randomBytes(16).toString('base64');
    if (request.method === 'POST' && page === '') return take(request, response, nonce);
    if (request.method !== 'GET') return send(response, 405, 'Not allowed');
    if (page === 'image') return sendImage(response, id ?? '');
    if (page === '') return sendAnswer(response, await content.show(new URLSearchParams(query), nonce), nonce);
    send(response, 404, 'Not found');
  }

  async function take(request: IncomingMessage, response: ServerResponse, nonce: string): Promise<void> {
    if (request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() !== formType) {
      return send(response, 415, 'Not a form');
    }
    const body = await readRequestBody(request, maximumBodyBytes);
    if (body === undefined) return send(response, 413, 'The form is too large');
    const fields = new URLSearchParams(body.toString('utf8'));
    // Of a field that is there twice, only one would be read.
    if (new Set(fields.keys()).size < fields.size) return send(response, 400, 'The form is not as it was served');
    sendAnswer(response, await content.take(Object.fromEntries(fields), nonce), nonce);
  }

  function sendAnswer(response: ServerResponse, given: PageAnswer, nonce: string): void {
    // A reload of the page must not submit the form again.
    if ('seeOther' in given) {
      response.writeHead(303, { location: `/${key}/${given.seeOther}` }).end();
      return;
    }
    if ('refused' in given) {
      send(response, given.status, given.refused);
      return;
    }
    send(response, given.status ?? 200, given.html, 'text/html; charset=utf-8', script ? nonce : undefined);
    if (given.done) response.once('finish', finish);
  }

  async function sendImage(response: ServerResponse, id: string): Promise<void> {
    const file = await content.imageFile(id);
    const image = file === undefined ? undefined : await portableImage(file, {}).catch(() => undefined);
    if (image === undefined) return send(response, 404, 'Not found');
    response.writeHead(200, { ...headersWith(), 'content-type': `image/${image.kind}` }).end(image.content);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      // The message may quote files and addresses: it is for the terminal.
      report(error);
      if (!response.headersSent) send(response, 500, 'Failed. The terminal shows why');
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${key}/`,
    close,
    async ended(signal) {
      const aborted = signal.aborted ? Promise.resolve() : once(signal, 'abort');
      await Promise.race([finished, aborted]);
      await close();
    },
  };
}

/** @param nonce of the page's script, where it has one */
const headersWith = (nonce?: string) => ({
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; ${
    nonce === undefined ? '' : `script-src 'nonce-${nonce}'; `
  }form-action 'self'; frame-ancestors 'none'`,
  // Under no-referrer browsers send `Origin: null` with a form, also to the page's own server.
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
});

function send(
  response: ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
  nonce?: string,
): void {
  response.writeHead(status, { ...headersWith(nonce), 'content-type': type }).end(text);
}
