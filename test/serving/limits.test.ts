/** What a server takes: how much, from whom, and what it does with clients that leave or send too much. */
import { connect } from 'node:net';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { post, question, serveWords } from './serve-words.ts';

async function imageOf(width: number, height: number): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: '#284' } })
    .png()
    .toBuffer();
}

const showing = (...images: Buffer[]) => ({
  model: 'base',
  messages: [
    {
      role: 'user',
      content: images.map((image) => ({
        type: 'image_url',
        image_url: { url: `data:image/png;base64,${image.toString('base64')}` },
      })),
    },
  ],
});

/** Sends a head, and what follows as long as the connection is open. @returns what was answered */
async function sendRaw(address: string, head: string, body: Buffer | 'endless' | 'nothing'): Promise<string> {
  const { port } = new URL(address);
  const socket = connect(Number(port), '127.0.0.1');
  let answer = '';
  socket.on('data', (piece) => {
    answer += piece;
  });
  socket.on('error', () => undefined);
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${head}\r\n\r\n`);
  const piece = `10000\r\n${' '.repeat(0x10000)}\r\n`;
  const send = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  if (body === 'endless') socket.on('drain', send);
  if (body === 'endless') send();
  else if (body !== 'nothing') socket.write(body);
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

const json = 'content-type: application/json';

describe('size', () => {
  test('a body over the limit is not read to its end', async () => {
    const { address } = await serveWords({ bodyBytes: 1000 });
    expect((await post(address, question('a'.repeat(900)))).status).toBe(200);
    const { status, json } = await post(address, question('a'.repeat(1000)));
    expect(status).toBe(413);
    expect(json.error).toMatchObject({
      code: 'request_too_large',
      message: 'A request may have 1000 bytes, its images as base64 among them (--max-body-mib)',
    });
  });

  test('a client that sends without end is answered and left', async () => {
    const { address, engine } = await serveWords({ bodyBytes: 1000 });
    expect(await sendRaw(address, `${json}\r\ntransfer-encoding: chunked`, 'endless')).toMatch(/^HTTP\/1\.1 413 /);
    expect(engine.requests).toEqual([]);
  });

  test('images have so many pixels together, counted before they are decoded', async () => {
    const { address } = await serveWords({ imagePixels: 10_000 });
    const [half, large] = [await imageOf(100, 50), await imageOf(5000, 5000)];
    expect((await post(address, showing(half, half))).status).toBe(200);
    const { status, json } = await post(address, showing(half, half, half));
    expect([status, json.error?.param, json.error?.code]).toEqual([
      400,
      'messages[0].content[2].image_url.url',
      'image_too_large',
    ]);
    const start = performance.now();
    expect((await post(address, showing(large))).json.error?.message).toContain('have 25000000 pixels');
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  test('an image that is cut short, or none, never reaches the model', async () => {
    const { address, engine } = await serveWords();
    const whole = await imageOf(200, 200);
    for (const image of [whole.subarray(0, whole.length - 200), Buffer.from('<svg/>'), Buffer.from('GIF89a')]) {
      const { status, json } = await post(address, showing(image));
      expect([status, json.error?.code]).toEqual([400, 'invalid_image']);
    }
    expect(engine.requests).toEqual([]);
  });
});

test.each([
  [
    'an image of equal signs',
    JSON.stringify(showing(Buffer.from(''))).replace('base64,', `base64,${'='.repeat(1_000_000)}a`),
  ],
  ['a million messages', `{"messages":[${'{"role":"user","content":"a"},'.repeat(250_000)}{}]}`],
  ['a million fields', `{${Array.from({ length: 500_000 }, (_, index) => `"k${index}":1`).join()}}`],
  ['a text of quotes', JSON.stringify(question('"'.repeat(3_900_000))).slice(0, -1)],
  ['a text of backslashes', `{"model":"${'\\'.repeat(7_000_000)}`],
  ['brackets', '['.repeat(7_900_000)],
])('%s holds up nobody else', async (_, body) => {
  const { address } = await serveWords();
  const start = performance.now();
  expect((await post(address, body)).status).toBe(400);
  expect(performance.now() - start).toBeLessThan(20_000);
});

describe('back pressure', () => {
  test('what is over the limit is refused with the time to ask again, and taken when there is a place', async () => {
    const { address, engine } = await serveWords({ mostAnswers: 2, delay: 20 });
    const running = [post(address, question('a')), post(address, question('b'))];
    await expect.poll(() => engine.running).toBe(2);
    const { status, headers, json } = await post(address, question('c'));
    expect([status, json.error?.type, json.error?.code]).toEqual([429, 'rate_limit_error', 'rate_limit_exceeded']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    await Promise.all(running);
    expect((await post(address, question('c'))).status).toBe(200);
  });

  test('each choice takes a place', async () => {
    const { address, engine } = await serveWords({ mostAnswers: 4, delay: 20 });
    const running = post(address, { ...question('a'), n: 3 });
    await expect.poll(() => engine.running).toBe(3);
    expect((await post(address, { ...question('b'), n: 2 })).status).toBe(429);
    expect((await post(address, { ...question('b'), n: 5 })).json.error).toMatchObject({ param: 'n' });
    expect((await post(address, question('b'))).status).toBe(200);
    await running;
  });

  test('bodies under way have a limit together', async () => {
    const { address, engine } = await serveWords({ bodyBytes: 1000, delay: 20 });
    const running = Array.from({ length: 8 }, () => post(address, question('a'.repeat(930))));
    await expect.poll(() => engine.running).toBe(8);
    expect((await post(address, question('a'.repeat(930)))).status).toBe(429);
    await Promise.all(running);
  });

  test('a refused client gets its answer though it sent a large body', async () => {
    const { address, engine } = await serveWords({ mostAnswers: 1, delay: 100 });
    const running = post(address, question('a'));
    await expect.poll(() => engine.running).toBe(1);
    expect((await post(address, question('a'.repeat(7_000_000)))).status).toBe(429);
    await running;
  });
});

describe('a client that leaves', () => {
  test.each([false, true])('while its answer is written cancels it (stream: %s)', async (stream) => {
    const { address, engine } = await serveWords({ delay: 50 });
    const leaving = new AbortController();
    const body = JSON.stringify({ ...question('a'), n: 2, stream });
    const asked = fetch(`${address}v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: leaving.signal,
    }).then((response) => response.text());
    await expect.poll(() => engine.running).toBe(2);
    leaving.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(() => engine.running).toBe(0);
    expect(engine.canceled).toBe(2);
    expect(await (await fetch(`${address}metrics`)).text()).toContain('dataengine_serve_answers 0');
  });

  test('or reads nothing of its stream holds no place', async () => {
    const { address, engine } = await serveWords({ stallMilliseconds: 300 });
    const { port } = new URL(address);
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined);
    const body = JSON.stringify({ ...question('a'.repeat(4_000_000)), stream: true, n: 8 });
    socket.pause();
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${json}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await expect.poll(() => engine.running, { interval: 5 }).toBe(8);
    await expect.poll(() => engine.running).toBe(0);
    expect(engine.canceled).toBe(8);
    expect(await (await fetch(`${address}metrics`)).text()).toContain('dataengine_serve_answers 0');
    socket.destroy();
  });

  test('in the middle of its request leaves no place taken', async () => {
    const { address } = await serveWords({ mostAnswers: 1 });
    const { port } = new URL(address);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${json}\r\ncontent-length: 500\r\n\r\n{`,
    );
    const answers = async () => ((await (await fetch(`${address}health`)).json()) as { answers: number }).answers;
    await expect.poll(answers).toBe(1);
    socket.destroy();
    await expect.poll(answers).toBe(0);
  });
});

describe('who may call', () => {
  const key = 'a-key-of-this-server';

  test('without the key there are no models and no answers; the page, health and metrics have no secrets', async () => {
    const { address, engine } = await serveWords({ key });
    for (const authorization of ['', key, `Basic ${key}`, `Bearer ${key}x`, 'Bearer ', `Bearer ${key.slice(0, -1)}`]) {
      const headers: Record<string, string> = authorization === '' ? {} : { authorization };
      const { status, json } = await post(address, question('a'), headers);
      expect([status, json.error?.code]).toEqual([401, 'invalid_api_key']);
      expect(JSON.stringify(json)).not.toContain(key);
      expect((await fetch(`${address}v1/models`, { headers })).status).toBe(401);
      expect((await fetch(`${address}v1/models/base`, { headers })).status).toBe(401);
    }
    expect(engine.requests).toEqual([]);
    expect((await post(address, question('a'), { authorization: `bearer ${key}` })).status).toBe(200);
    for (const path of ['', 'health', 'metrics']) {
      const response = await fetch(`${address}${path}`);
      expect(response.status).toBe(200);
      expect(await response.text()).not.toContain(key);
    }
  });

  test.each([
    ['by a domain name', { host: 'evil.example' }],
    ['by another port', { host: '127.0.0.1:1' }],
    ['by no name', { host: '' }],
    ['from another page', { origin: 'https://evil.example' }],
    ['from a page without an origin', { origin: 'null' }],
    ['from a page of another server of this machine', { origin: 'http://localhost:3000' }],
  ])('%s nothing is answered', async (_, given: { host?: string; origin?: string }) => {
    const { address, engine } = await serveWords();
    const { host } = new URL(address);
    const head = [`host: ${given.host ?? host}`, ...(given.origin === undefined ? [] : [`origin: ${given.origin}`])];
    for (const line of ['GET /', 'GET /health', 'GET /metrics', 'GET /v1/models', 'POST /v1/chat/completions']) {
      const socket = connect(Number(host.split(':')[1]), '127.0.0.1');
      let answer = '';
      socket.on('data', (piece) => {
        answer += piece;
      });
      const body = JSON.stringify(question('a'));
      socket.write(
        `${line} HTTP/1.1\r\n${[...head, json, `content-length: ${body.length}`].join('\r\n')}\r\nconnection: close\r\n\r\n${body}`,
      );
      await new Promise((resolve) => socket.once('close', resolve));
      expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    }
    expect(engine.requests).toEqual([]);
  });

  test('what a page may send without asking is not taken', async () => {
    const { address, engine } = await serveWords();
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'application/jsonx',
    ]) {
      const { status, json } = await post(address, question('a'), { 'content-type': type });
      expect([status, json.error?.code]).toEqual([415, 'unsupported_media_type']);
    }
    expect(engine.requests).toEqual([]);
    expect((await post(address, question('a'), { 'content-type': 'application/json; charset=utf-8' })).status).toBe(
      200,
    );
  });

  test('its own page may call', async () => {
    const { address } = await serveWords();
    const origin = address.slice(0, -1);
    expect((await post(address, question('a'), { origin })).status).toBe(200);
  });
});
