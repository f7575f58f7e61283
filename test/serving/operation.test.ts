/** Health, metrics, and the end of a server. */
import { connect } from 'node:net';
import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { InputError } from '../../src/core/input-error.ts';
import { post, question, serveWords } from './serve-words.ts';

async function health(address: string) {
  const response = await fetch(`${address}health`);
  return { status: response.status, ...((await response.json()) as object) };
}

test('health says how much is under way, and when the model has failed', async () => {
  const { address, engine } = await serveWords({ delay: 20, mostAnswers: 9 });
  expect(await health(address)).toEqual({ status: 200, state: 'ok', answers: 0, mostAnswers: 9 });
  const running = post(address, { ...question('a'), n: 2 });
  await expect.poll(() => engine.running).toBe(2);
  expect(await health(address)).toMatchObject({ answers: 2 });
  await running;
  engine.failure = new InputError({ file: 'request', problem: 'has too many tokens', remedy: 'Ask less' });
  expect((await post(address, question('a'))).json.error?.message).toBe('has too many tokens. Ask less');
  expect(await health(address)).toMatchObject({ status: 200 });
  // Clients print the message alone.
  engine.failure = new InputError({
    file: 'request',
    field: 'messages',
    problem: 'has too many tokens',
    remedy: 'Ask less',
  });
  expect((await post(address, question('a'))).json.error?.message).toBe('messages: has too many tokens. Ask less');
  engine.failure = new Error('the process of the engine has ended');
  await post(address, question('a'));
  expect(await health(address)).toMatchObject({ status: 503, state: 'failed' });
  engine.failure = undefined;
  await post(address, question('a'));
  expect(await health(address)).toMatchObject({ status: 200, state: 'ok' });
});

test('metrics are in the form of Prometheus', async () => {
  const { address } = await serveWords();
  await post(address, { ...question('a b'), n: 2, temperature: 0 });
  await post(address, { ...question('a'), model: 'north', max_tokens: 1 });
  await post(address, { ...question('a'), model: 'no "such" model' });
  const response = await fetch(`${address}metrics`);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const lines = (await response.text()).split('\n');
  const sample = /^[a-z_]+(\{[a-z]+="[^"\\]*"\})? (\d+(\.\d+)?(e-\d+)?)$/;
  expect(lines.filter((line) => line !== '' && !/^# (HELP|TYPE) /.test(line) && !sample.test(line))).toEqual([]);
  expect(lines).toEqual(
    expect.arrayContaining([
      '# TYPE dataengine_serve_requests_total counter',
      'dataengine_serve_requests_total{status="200"} 2',
      'dataengine_serve_requests_total{status="404"} 1',
      'dataengine_serve_completion_tokens_total{model="base"} 20',
      'dataengine_serve_completion_tokens_total{model="north"} 1',
      'dataengine_serve_prompt_tokens_total{model="base"} 6',
      '# TYPE dataengine_serve_request_seconds histogram',
      'dataengine_serve_request_seconds_bucket{le="+Inf"} 3',
      'dataengine_serve_request_seconds_count 3',
      'dataengine_serve_first_token_seconds_count 3',
      'dataengine_serve_answers 0',
      'dataengine_serve_answers_limit 64',
    ]),
  );
});

test('what is under way ends before the server does; nothing new is taken', async () => {
  const { address, engine, server } = await serveWords({ delay: 20 });
  const running = post(address, question('a'));
  await expect.poll(() => engine.running).toBe(1);
  const closing = server.close(10_000);
  await expect(fetch(`${address}health`)).rejects.toThrow();
  expect((await running).status).toBe(200);
  await closing;
  expect(engine.canceled).toBe(0);
});

test('what takes longer than the grace is canceled, and the client gets an error', async () => {
  const { address, engine, server } = await serveWords({ delay: 200 });
  const client = new OpenAI({ baseURL: `${address}v1`, apiKey: 'none', maxRetries: 0 });
  const ask = (stream: boolean) =>
    client.chat.completions.create({ model: 'base', messages: [{ role: 'user', content: 'a' }], stream });
  const read = async () => {
    for await (const _ of (await ask(true)) as AsyncIterable<unknown>);
  };
  const [whole, streamed] = [ask(false), read()];
  const failures = Promise.allSettled([whole, streamed]);
  await expect.poll(() => engine.running).toBe(2);
  await server.close(300);
  expect(engine.canceled).toBe(2);
  expect(await failures).toMatchObject([
    { reason: { status: 503, code: 'stopping' } },
    { reason: { message: expect.stringContaining('The server has stopped') } },
  ]);
});

test('a stream that its client does not read ends with the grace, too', async () => {
  const { address, engine, server } = await serveWords();
  const { port } = new URL(address);
  const socket = connect(Number(port), '127.0.0.1');
  socket.on('error', () => undefined).pause();
  const body = JSON.stringify({ ...question('a'.repeat(4_000_000)), stream: true, n: 8 });
  const head = `Host: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\n${head}\r\n\r\n${body}`);
  // What does not fit into the connection waits for the client.
  await expect.poll(() => engine.running, { interval: 5 }).toBe(8);
  await server.close(100);
  await expect.poll(() => engine.running).toBe(0);
  expect(engine.canceled).toBe(8);
  socket.destroy();
});

test('a place that is taken is named', async () => {
  const { address } = await serveWords();
  const { port } = new URL(address);
  await expect(serveWords({ port: Number(port) })).rejects.toThrow(
    `command line: port ${port}: can't be listened on at 127.0.0.1 (EADDRINUSE). Name another one`,
  );
});
