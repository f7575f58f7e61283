import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Config } from '../../src/config/schema.ts';
import { notify } from '../../src/round/notify.ts';

const config = { notify: { webhookVariable: 'TEST_WEBHOOK', on: ['round'] } } as Pick<Config, 'notify'> as Config;
const context = () => ({ config, signal: new AbortController().signal });

afterEach(() => vi.unstubAllEnvs());

/** A receiver with given answers, which records what it receives. */
async function receiver(status: number, headers: Record<string, string> = {}): Promise<string[]> {
  const received: string[] = [];
  const server = createServer(async (request, response) => {
    const body = (await request.toArray()).join('');
    received.push(`${request.method} ${request.url} ${request.headers['content-type']} ${body}`);
    response.writeHead(status, headers).end('no');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  vi.stubEnv('TEST_WEBHOOK', `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/secret`);
  return received;
}

test('a notification is a JSON object with a text', async () => {
  const received = await receiver(200);
  await notify(context(), { text: 'demo: round 1 is done' });
  expect(received).toEqual(['POST /services/secret application/json {"text":"demo: round 1 is done"}']);
});

test('a busy receiver gets a retry after the delay that it names; the error does not contain its address', async () => {
  await receiver(429, { 'retry-after': '7' });
  const error = await notify(context(), { text: 'x' }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: 'NotificationError', retryable: true, retryAfterSeconds: 7 });
  expect(String(error)).not.toContain('secret');
});

test.each([
  ['9000000000', 300],
  ['-5', undefined],
  ['', undefined],
])('a receiver that asks for a delay of "%s" gets one of %s seconds', async (stated, retryAfterSeconds) => {
  await receiver(503, { 'retry-after': stated });
  await expect(notify(context(), { text: 'x' })).rejects.toMatchObject({ retryable: true, retryAfterSeconds });
});

test('a refused notification is not retried', async () => {
  await receiver(404);
  await expect(notify(context(), { text: 'x' })).rejects.toMatchObject({
    retryable: false,
    message: 'The webhook of TEST_WEBHOOK answered 404. Check the address',
  });
});

test('a notification follows no redirect: its text is for one address', async () => {
  const elsewhere = await receiver(200);
  const address = process.env.TEST_WEBHOOK as string;
  const received = await receiver(307, { location: address });
  await expect(notify(context(), { text: 'x' })).rejects.toThrow('answered 307. Check the address');
  expect(received).toHaveLength(1);
  expect(elsewhere).toEqual([]);
});

test("a notification is retried when the receiver can't be reached", async () => {
  vi.stubEnv('TEST_WEBHOOK', 'http://127.0.0.1:9/services/secret');
  await expect(notify(context(), { text: 'x' })).rejects.toMatchObject({ retryable: true });
});

test('a missing or invalid address is an input error', async () => {
  await expect(notify(context(), { text: 'x' })).rejects.toThrow('TEST_WEBHOOK: is not set on this worker');
  vi.stubEnv('TEST_WEBHOOK', 'file:///etc/passwd');
  await expect(notify(context(), { text: 'x' })).rejects.toThrow('TEST_WEBHOOK: is no web address');
});

test('nobody is mentioned and nothing is linked by what a run is called or an error says', async () => {
  const received = await receiver(200);
  await notify(context(), { text: 'Run <!channel> @here <http://evil|a> [b](http://evil) & \u001b]0;x\u0007c' });
  const { text } = JSON.parse(received[0]?.replace(/^\S+ \S+ \S+ /, '') ?? '{}');
  expect(text).toBe('Run &lt;!channel&gt; @\u200bhere &lt;http://evil|a&gt; [b] (http://evil) &amp; c');
});
