/**
 * A server of chat completions with a model that is a hash: it writes and scores texts, the same for the same words and
 * pixels. It speaks vLLM's form of prompt log-probabilities, does so but ends the assistant's message, refuses its fields as
 * strict servers do, or ignores them as llama.cpp does. `toy-server-process.ts` runs it as a process of its own.
 */

import { hash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { z } from 'zod';

export interface ToySettings {
  /** Another seed is another model. */
  seed: string;
  logprobs: 'vllm' | 'closed' | 'refused' | 'ignored';
  port?: number;
  /** Of each answer, in milliseconds. */
  delay?: number;
  /** Called for each request; its result is sent in place of the answer. */
  before?: (request: ToyRequest) => { status: number; body: unknown; headers?: Record<string, string> } | undefined;
}

const partSchema = z.union([
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('image_url'), image_url: z.object({ url: z.string() }) }),
]);
const requestSchema = z.looseObject({
  model: z.string(),
  messages: z.array(z.object({ role: z.string(), content: z.union([z.string(), z.array(partSchema)]) })),
  max_tokens: z.number(),
  temperature: z.literal(0),
  prompt_logprobs: z.number().optional(),
  add_generation_prompt: z.boolean().optional(),
  continue_final_message: z.boolean().optional(),
});
export type ToyRequest = z.output<typeof requestSchema> & { authorization: string | undefined; number: number };

export interface ToyServer {
  url: string;
  received: ToyRequest[];
  /** The most requests that were open at once. */
  mostOpen(): number;
  settings: ToySettings;
  close(): Promise<void>;
}

export async function startToyServer(settings: ToySettings): Promise<ToyServer> {
  const received: ToyRequest[] = [];
  let [open, mostOpen] = [0, 0];
  const server = createServer((request, response) => {
    open += 1;
    mostOpen = Math.max(mostOpen, open);
    response.on('close', () => {
      open -= 1;
    });
    void answer(request, response).catch((error: unknown) =>
      reply(response, 500, { error: { message: String(error) } }),
    );
  });
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    if (request.url === '/v1/models')
      return reply(response, 200, { object: 'list', data: [{ id: 'toy', object: 'model' }] });
    const parsed = requestSchema.safeParse(JSON.parse(Buffer.concat(pieces).toString()));
    if (!parsed.success) return reply(response, 400, { error: { message: parsed.error.message } });
    const one = { ...parsed.data, authorization: request.headers.authorization, number: received.length };
    received.push(one);
    const instead = settings.before?.(one);
    if (instead !== undefined) return reply(response, instead.status, instead.body, instead.headers);
    if (settings.delay) await new Promise((resolve) => setTimeout(resolve, settings.delay));
    if (one.prompt_logprobs !== undefined && settings.logprobs === 'refused') {
      return reply(response, 400, {
        error: { message: 'Unsupported parameter: prompt_logprobs', param: 'prompt_logprobs' },
      });
    }
    reply(response, 200, await completion(one, settings));
  };
  await new Promise<void>((resolve) => server.listen(settings.port ?? 0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    received,
    mostOpen: () => mostOpen,
    settings,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function reply(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

async function completion(request: ToyRequest, { seed, logprobs }: ToySettings): Promise<object> {
  const { messages, continue_final_message: isOpen = false } = request;
  const last = messages.at(-1);
  const isScored = logprobs === 'vllm' || logprobs === 'closed';
  const openText = last?.role === 'assistant' && isOpen && isScored ? textOf(last.content) : undefined;
  const asked = openText === undefined ? messages : messages.slice(0, -1);
  const images = await Promise.all(asked.flatMap(({ content }) => imagesOf(content)).map(pixelHash));
  const words = asked.map(({ role, content }) => `${role.toUpperCase()}: ${textOf(content)}`).join('\n');
  const text = toyAnswer(seed, images, words);
  const pieces = [...toyTokens(words, openText), ...(logprobs === 'closed' ? ['</s>'] : [])];
  const scored = [
    null,
    ...images.flatMap(() => [null, null]),
    ...pieces.map((piece, place) => ({
      [idOf(piece)]: { logprob: toyLogprob(seed, images, pieces.slice(0, place + 1)), rank: 1, decoded_token: piece },
    })),
  ];
  return {
    id: 'toy',
    object: 'chat.completion',
    created: 1,
    model: request.model,
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: text } }],
    usage: { prompt_tokens: scored.length, completion_tokens: 4, total_tokens: scored.length + 4 },
    ...(request.prompt_logprobs !== undefined && isScored && { prompt_logprobs: scored }),
  };
}

/** The mean loss that the toy model gives an answer, behind its start. */
export function toyLoss(
  seed: string,
  images: readonly string[],
  question: string,
  { start, answer }: { start: string; answer: string },
): number {
  const words = `USER: ${question}`;
  const before = toyTokens(words, start === '' ? undefined : start);
  const all = toyTokens(words, answer);
  const losses = all
    .slice(before.length)
    .map((_, place) => -toyLogprob(seed, images, all.slice(0, before.length + place + 1)));
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

/** A letter of the choices that the question lists, else two words. */
export function toyAnswer(seed: string, images: readonly string[], words: string): string {
  const number = numberOf([seed, ...images, words].join('|'));
  const choices = [...words.matchAll(/\(([A-Z])\) ([^(\n]*)/g)];
  const chosen = choices[number % Math.max(1, choices.length)];
  return chosen === undefined
    ? `word${number % 97} word${number % 89}`
    : `The answer is (${chosen[1]}) ${chosen[2]?.trim()}.`;
}

/** SHA-256 of the pixels, and how many there are: a scaled or a lossy image has others. */
export async function pixelHash(url: string): Promise<string> {
  const image = Buffer.from(url.replace(/^data:image\/png;base64,/, ''), 'base64');
  const { data, info } = await sharp(image).raw().toBuffer({ resolveWithObject: true });
  return `${info.width}x${info.height}x${info.channels} ${hash('sha256', data)}`;
}

function toyTokens(words: string, open: string | undefined): string[] {
  return `${words}\nASSISTANT:${open === undefined ? '' : ` ${open}`}`.match(/\s*[^\s()]+|\s*[()]/g) ?? [];
}

function toyLogprob(seed: string, images: readonly string[], pieces: readonly string[]): number {
  return -0.01 - (numberOf([seed, ...images, ...pieces].join('|')) % 1000) / 250;
}

const idOf = (piece: string) => String(numberOf(piece) % 32_000);
const numberOf = (text: string) => Number.parseInt(hash('sha256', text).slice(0, 8), 16);

function textOf(content: ToyRequest['messages'][number]['content']): string {
  return typeof content === 'string'
    ? content
    : content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

function imagesOf(content: ToyRequest['messages'][number]['content']): string[] {
  return typeof content === 'string'
    ? []
    : content.flatMap((part) => (part.type === 'image_url' ? [part.image_url.url] : []));
}
