import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { portableImage } from '../../src/core/images/open-image.ts';
import { readRequestBody } from '../../src/core/request-body.ts';
import { maxCommentLength } from '../../workflows/prompt-messages.ts';
import { reviewPage } from './page.ts';
import type { Review } from './review.ts';

export interface ReviewPage {
  /** With a key; requests without it get no answer. */
  address: string;
  /** Resolves when the workflow has ended and the page has shown it, or the signal is aborted. */
  ended(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const maximumBodyBytes = 64 * 1024;
// Browsers send a line break as two characters, and count it as one.
const comment = z.string().overwrite((text) => text.replaceAll('\r\n', '\n').trim());
const shortComment = comment
  .max(maxCommentLength)
  .transform((text) => text || undefined)
  .optional();
/** The two forms of the page. */
const formSchema = z.union([
  z.strictObject({ sample: z.string().min(1), verdict: z.enum(['good', 'bad']), comment: shortComment }),
  z.strictObject({ action: z.enum(['revise', 'accept', 'stop']), comment: shortComment }),
]);

/**
 * Serves a page to judge the samples on, to this machine alone. The address has a random key in it, and requests under
 * another host name are refused, so that no other page in the browser can reach it.
 *
 * @param options.report is given why a request could not be answered
 */
export async function serveReview(
  review: Review,
  { port, report = () => undefined }: { port: number; report?: (error: unknown) => void },
): Promise<ReviewPage> {
  const key = randomBytes(16).toString('hex');
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { port: actual } = server.address() as AddressInfo;
    const allowed = [`127.0.0.1:${actual}`, `localhost:${actual}`];
    const [, given, page, id] = (request.url ?? '').split('?')[0]?.split('/') ?? [];
    if (!allowed.includes(request.headers.host ?? '') || given !== key) return send(response, 404, 'Not found');
    const { origin } = request.headers;
    if (origin !== undefined && !allowed.some((host) => origin === `http://${host}`)) {
      return send(response, 403, 'Refused');
    }
    if (request.method === 'POST' && page === '') return take(request, response);
    if (request.method !== 'GET') return send(response, 405, 'Not allowed');
    if (page === 'image') return sendImage(response, id ?? '');
    if (page === '') return show(response);
    send(response, 404, 'Not found');
  }

  async function show(response: ServerResponse, refused?: string): Promise<void> {
    const progress = await review.progress();
    const html = await reviewPage({ progress, samples: await review.samples(progress), refused });
    send(response, refused === undefined ? 200 : 409, html, 'text/html; charset=utf-8');
    if (progress.phase === 'done') response.once('finish', finish);
  }

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readRequestBody(request, maximumBodyBytes);
    if (body === undefined) return send(response, 413, 'The form is too large');
    const fields = new URLSearchParams(body.toString('utf8'));
    const form = formSchema.safeParse(Object.fromEntries(fields));
    // Of a field that is there twice, only one would be read.
    if (!form.success || new Set(fields.keys()).size < fields.size)
      return send(response, 400, 'The form is not as it was served');
    const result = 'action' in form.data ? await review.decide(form.data) : await review.judge(form.data);
    if ('refused' in result) return show(response, result.refused);
    // A reload of the page must not submit the form again.
    const place = 'action' in form.data ? '' : `#${encodeURIComponent(form.data.sample)}`;
    response.writeHead(303, { location: `/${key}/${place}` }).end();
  }

  async function sendImage(response: ServerResponse, id: string): Promise<void> {
    const samples = await review.samples(await review.progress());
    const sample = samples.find((candidate) => candidate.id === id);
    const image = sample && (await portableImage(sample.image, {}).catch(() => undefined));
    if (image === undefined) return send(response, 404, 'Not found');
    response.writeHead(200, { ...headers, 'content-type': `image/${image.kind}` }).end(image.content);
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

const headers = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
  // Under no-referrer browsers send `Origin: null` with a form, also to the page's own server.
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
};

function send(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { ...headers, 'content-type': type }).end(text);
}
