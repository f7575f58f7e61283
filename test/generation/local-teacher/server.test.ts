import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import OpenAI from 'openai';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runningTeacher } from './running-teacher.ts';

const body = { model: 'gpt-4', messages: [{ role: 'user', content: 'hello' }] };

async function post(baseUrl: string, content: string) {
  const response = await fetch(`${baseUrl}/chat/completions`, { method: 'POST', body: content });
  return { status: response.status, body: (await response.json()) as unknown };
}

describe('the protocol', () => {
  test("an answer has the shape of OpenAI's chat completion", async () => {
    const { teacher } = await runningTeacher();
    const { status, body: answer } = await post(teacher.baseUrl, JSON.stringify(body));
    expect(status).toBe(200);
    expect(answer).toMatchObject({
      id: expect.stringMatching(/^chatcmpl-/),
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'local-teacher',
      choices: [{ index: 0, message: { role: 'assistant', content: expect.any(String) }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: expect.any(Number), total_tokens: expect.any(Number) },
    });
  });

  test('content may be a list of parts', async () => {
    const { teacher } = await runningTeacher();
    const content = [
      { type: 'text', text: 'hello' },
      { type: 'image_url', image_url: { url: 'data:,' } },
    ];
    const { status } = await post(teacher.baseUrl, JSON.stringify({ ...body, messages: [{ role: 'user', content }] }));
    expect(status).toBe(200);
  });

  test('the models can be listed', async () => {
    const { client } = await runningTeacher();
    expect((await client.models.list()).data).toMatchObject([{ id: 'local-teacher' }]);
  });

  test.each([
    ['broken JSON', '{"model":', 400],
    ['no messages', '{"model":"gpt-4","messages":[]}', 400],
    ['streaming', JSON.stringify({ ...body, stream: true }), 400],
    ['far too much', JSON.stringify({ ...body, messages: [{ role: 'user', content: 'x'.repeat(5e6) }] }), 413],
  ])("%s is an error of OpenAI's shape", async (_, content, status) => {
    const { teacher } = await runningTeacher();
    expect(await post(teacher.baseUrl, content)).toMatchObject({
      status,
      body: { error: { message: expect.any(String), type: 'invalid_request_error', param: null, code: null } },
    });
  });

  test('another address is not found', async () => {
    const { teacher } = await runningTeacher();
    expect((await fetch(`${teacher.baseUrl}/embeddings`, { method: 'POST' })).status).toBe(404);
  });
});

test('it counts what it did', async () => {
  const { teacher, client } = await runningTeacher({ faults: { script: [{ kind: 'status', status: 500 }] } });
  const ask = () => client.chat.completions.create({ model: 'gpt-4', messages: [{ role: 'user', content: 'hi' }] });
  await expect(ask()).rejects.toThrow(OpenAI.InternalServerError);
  await ask();
  await ask();
  expect(teacher.counts()).toMatchObject({ requests: 3, answered: 2, repeated: 1, byKind: { other: 2 } });
});

test('it runs as a process of its own, until it is told to end', async () => {
  const script = 'generation/local-teacher/main.ts';
  const child = spawn(process.execPath, ['--import', 'tsx', script, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { baseUrl } = JSON.parse(line) as { baseUrl: string };
  expect((await post(baseUrl, JSON.stringify(body))).status).toBe(200);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});
