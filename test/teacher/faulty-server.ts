import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** What a request was, and how many came before it. */
export interface Received {
  number: number;
  path: string;
  body: Record<string, unknown>;
  /** Characters of all messages. */
  size: number;
}

/** A reply: a JSON value, or bytes with their headers. */
export interface FaultyReply {
  status?: number;
  body?: unknown;
  raw?: string | Buffer;
  headers?: Record<string, string>;
}

/** A server of chat completions that answers as a test says, for one test. */
export async function faultyServer(reply: (received: Received) => FaultyReply) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    // What a run reads before it starts.
    if (request.method === 'GET' && request.url?.endsWith('/models')) {
      response.writeHead(404, { connection: 'close' }).end('{}');
      return;
    }
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(pieces).toString() || '{}') as Record<string, unknown>;
      const messages = (body.messages ?? []) as { content: string }[];
      const size = messages.reduce((sum, { content }) => sum + content.length, 0);
      const one = { number: received.length, path: request.url ?? '', body, size };
      received.push(one);
      const { status = 200, body: value, raw, headers } = reply(one);
      const bytes = raw ?? JSON.stringify(value);
      response
        .writeHead(status, {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(bytes),
          connection: 'close',
          ...headers,
        })
        .end(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { received, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` };
}

const things = ['apple', 'ladder', 'violin', 'harbor', 'tractor', 'umbrella', 'lantern', 'compass'];

/** An answer of which nothing is wrong; another one for each number. */
export function goodAnswer(number: number): string {
  const thing = things[number % things.length];
  return [
    `Question: What tool would help a person move the ${thing} number ${number} beside the box?`,
    `Choices: (A) wooden cart ${number} (B) thin thread (C) wet sponge (D) paper cup`,
    `Answer: The answer is (A): wooden cart ${number}.`,
    `Explanations: A wooden cart carries heavy things, so the ${thing} can be rolled away.`,
  ].join('\n');
}

/** The same as an object of JSON. */
export function goodJson(number: number): string {
  return JSON.stringify({
    skip_reason: null,
    question: `What tool would move the ${things[number % things.length]} number ${number} beside the box?`,
    choices: [`wooden cart ${number}`, 'thin thread', 'wet sponge', 'paper cup'],
    answer: 'A',
    explanation: 'A cart carries heavy things.',
  });
}

/** A chat completion, with some fields changed; undefined leaves one out. */
export function completionOf(
  content: unknown,
  changes: { message?: object; finish?: string; [field: string]: unknown } = {},
): object {
  const { message = {}, finish = 'stop', ...fields } = changes;
  return {
    id: 'c',
    object: 'chat.completion',
    created: 1,
    model: 'gpt-4-fake',
    choices: [{ index: 0, finish_reason: finish, message: { role: 'assistant', content, ...message } }],
    usage: { prompt_tokens: 700, completion_tokens: 90, total_tokens: 790 },
    ...fields,
  };
}
