/** What the server of llama.cpp answers, as `npm run peers:llama-cpp` recorded it: our client reads it as what it is. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { OpenAI } from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { usualWorkerSettings } from '../../../src/core/worker-settings.ts';
import { endpointClient, listModels, scorePrompt, writeAnswer } from '../../../src/evaluation/endpoint/client.ts';
import { rankingOf } from '../../../src/evaluation/endpoint/fingerprint.ts';
import { isTooLong } from '../../../src/teacher/teacher-error.ts';

const recordedSchema = z.record(z.string(), z.object({ status: z.number(), body: z.unknown() }));
const signal = new AbortController().signal;
let client: OpenAI;

/** Gives the recorded answer to the request of its kind. */
const server = createServer(async (request, response) => {
  const recorded = recordedSchema.parse(JSON.parse(await readFile('test/fixtures/llama-cpp.json', 'utf8')));
  const body = JSON.stringify(request.method === 'POST' ? await json(request) : {});
  const kind = request.url?.endsWith('/models')
    ? 'models'
    : body.includes('prompt_logprobs')
      ? 'scored'
      : body.includes('image_url')
        ? 'image'
        : body.length > 50_000
          ? 'tooLong'
          : 'written';
  const { status, body: answer } = recorded[kind] ?? { status: 404, body: {} };
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
});

beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  client = endpointClient({ url, requestTimeoutSeconds: 30 }, usualWorkerSettings());
});
afterAll(() => server.close());

const asking = (content: string) => ({
  model: 'any',
  messages: [{ role: 'user' as const, content }],
  maximumTokens: 3,
});

test('its model is listed, and answers in words with what they cost', async () => {
  expect(await listModels(client, signal)).toEqual([expect.stringContaining('SmolLM2')]);
  const { text, usage } = await writeAnswer(client, asking('What is the capital of France?'), { signal });
  expect(text).not.toBe('');
  expect(usage.completionTokens).toBe(3);
  expect(usage.promptTokens).toBeGreaterThan(10);
});

test('it gives no log-probabilities of a prompt: choices are those that it writes', async () => {
  expect(await scorePrompt(client, asking('What is it?'), { signal })).toBeUndefined();
  expect(await rankingOf(client, 'any', signal)).toBe('written');
});

test('a prompt that is too long is told apart from other errors', async () => {
  const tooLong = await writeAnswer(client, asking('long '.repeat(20_000)), { signal }).catch(
    (error: unknown) => error,
  );
  expect(isTooLong(tooLong)).toBe(true);
  const shown = {
    ...asking(''),
    messages: [
      {
        role: 'user' as const,
        content: [{ type: 'image_url' as const, image_url: { url: 'data:image/png;base64,AA' } }],
      },
    ],
  };
  const image = await writeAnswer(client, shown, { signal }).catch((error: unknown) => error);
  expect(isTooLong(image)).toBe(false);
  expect(String(image)).toContain('image input is not supported');
});
