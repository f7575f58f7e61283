import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get, request as httpRequest, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createFileStore } from '../../../demo/local-teacher/files.ts';
import { structuredAnswer } from '../../../src/generation/parse-answer.ts';
import { buildMessages } from '../../../src/generation/prompt.ts';
import { readQuestionTypes } from '../../../src/generation/question-types.ts';
import { readPromptTemplate } from '../../../src/teacher/prompt-template.ts';
import { plainImage } from '../../evaluation/benchmarks/official-files.ts';
import { annotatedImage } from '../../generation/images.ts';
import { request } from '../../generation/requests.ts';
import { runningTeacher } from './running-teacher.ts';

const template = await readPromptTemplate('configs/prompts/generate-v1.md');
const questionTypes = await readQuestionTypes('configs/question-types.yaml');
const image = annotatedImage({ id: 1 });

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
      usage: { prompt_tokens: 5, completion_tokens: expect.any(Number), total_tokens: expect.any(Number) },
    });
  });

  test('an answer is cut at the most tokens that were asked for, and says so', async () => {
    const { teacher } = await runningTeacher();
    const whole = (await post(teacher.baseUrl, JSON.stringify(body))).body as OpenAI.ChatCompletion;
    const { body: cut } = await post(teacher.baseUrl, JSON.stringify({ ...body, max_tokens: 2 }));
    const { choices, usage } = cut as OpenAI.ChatCompletion;
    expect(usage?.completion_tokens).toBe(2);
    expect(choices[0]?.finish_reason).toBe('length');
    const text = choices[0]?.message.content as string;
    expect(whole.choices[0]?.message.content).toMatch(new RegExp(`^${text}.`));
  });

  test('content may be a list of parts', async () => {
    const { teacher } = await runningTeacher();
    const content = [
      { type: 'text', text: 'hello' },
      {
        type: 'image_url',
        image_url: { url: `data:image/png;base64,${(await plainImage('red')).toString('base64')}` },
      },
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
    ['far too much', JSON.stringify({ ...body, messages: [{ role: 'user', content: 'x'.repeat(21e6) }] }), 413],
  ])("%s is an error of OpenAI's shape", async (_, content, status) => {
    const { teacher } = await runningTeacher();
    expect(await post(teacher.baseUrl, content)).toMatchObject({
      status,
      body: { error: { message: expect.any(String), type: 'invalid_request_error', param: null, code: null } },
    });
  });

  test.each(['//', '//v1/models', '///x', '/\\\\', '/%', 'http://127.0.0.1/v1/models', '*'])(
    'the path %s is answered as no address of the teacher',
    async (path) => {
      const { teacher } = await runningTeacher();
      const { port } = teacher;
      const answer = await new Promise<number | undefined>((resolve, reject) => {
        get({ port, path, headers: { host: `127.0.0.1:${port}` } }, ({ statusCode }) => resolve(statusCode)).once(
          'error',
          reject,
        );
      });
      expect(answer).toBe(path.startsWith('/') ? 404 : 400);
    },
  );

  test('another address is not found', async () => {
    const { teacher } = await runningTeacher();
    expect((await fetch(`${teacher.baseUrl}/embeddings`, { method: 'POST' })).status).toBe(404);
  });
});

describe('modes', () => {
  test('structured output is JSON in the fields of the schema', async () => {
    const { client } = await runningTeacher();
    const { choices } = await client.chat.completions.create({
      model: 'gpt-4o',
      messages: buildMessages({ request: request(1), image, questionTypes, template }),
      response_format: zodResponseFormat(structuredAnswer, 'sample'),
    });
    const answer = structuredAnswer.parse(JSON.parse(choices[0]?.message.content ?? ''));
    expect(answer).toMatchObject({ skip_reason: null, question: expect.stringContaining('cat') });
    expect(answer.choices).toHaveLength(4);
  });

  test('stored answers are found by their metadata', async () => {
    const { client } = await runningTeacher();
    const ask = (call: string) =>
      client.chat.completions.create({
        model: 'gpt-4',
        messages: [{ role: 'user', content: `hello ${call}` }],
        store: true,
        metadata: { call },
      });
    const [, second] = [await ask('one'), await ask('two')];
    const found = await client.chat.completions.list({ metadata: { call: 'two' } });
    expect(found.data.map(({ id }) => id)).toEqual([second.id]);
  });
});

describe('faults', () => {
  const ask = (client: OpenAI, content = 'hi') =>
    client.chat.completions.create({ model: 'gpt-4', max_tokens: 100, messages: [{ role: 'user', content }] });

  test('a refusal is a message of its own, and the same each time', async () => {
    const { client, teacher } = await runningTeacher({ faults: { rates: { refused: 0.5 } } });
    const refusal = async (content: string) => (await ask(client, content)).choices[0]?.message.refusal ?? null;
    const contents = Array.from({ length: 20 }, (_, index) => `hi ${index}`);
    const first = await Promise.all(contents.map(refusal));
    expect(first.filter(Boolean).length).toBeGreaterThan(2);
    expect(first).toContain(null);
    expect(await Promise.all(contents.map(refusal))).toEqual(first);
    expect(teacher.counts().answered).toBe(40);
  });

  test('JSON may be cut off', async () => {
    const { client } = await runningTeacher({ faults: { rates: { malformed: 1 } } });
    await expect(ask(client)).rejects.toThrow();
  });

  test('too long a prompt is refused by its code', async () => {
    const { client } = await runningTeacher({ faults: { contextTokens: 110 } });
    await ask(client);
    await expect(ask(client, 'so long '.repeat(50))).rejects.toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
    });
  });

  test('which requests fail depends on the seed and the prompt, not on the order', async () => {
    const faults = { rates: { serverError: 0.5 } };
    const contents = Array.from({ length: 20 }, (_, index) => `hi ${index}`);
    const outcomes = async (order: string[]) => {
      const { client } = await runningTeacher({ faults });
      const failed: string[] = [];
      for (const content of order) await ask(client, content).catch(() => failed.push(content));
      return failed.sort();
    };
    expect(await outcomes(contents)).toEqual(await outcomes([...contents].reverse()));
  });
});

test('what it did can be read over HTTP, by request too', async () => {
  const { client, teacher } = await runningTeacher({ faults: { script: [{ kind: 'status', status: 500 }] } });
  const ask = () =>
    client.chat.completions.create(
      { model: 'gpt-4', messages: [{ role: 'user', content: 'hi' }] },
      { headers: { 'X-Client-Request-Id': 'request-1' } },
    );
  await expect(ask()).rejects.toThrow(OpenAI.InternalServerError);
  await ask();
  const admin = async (path: string) => (await fetch(new URL(`/admin/${path}`, teacher.baseUrl))).json();
  expect(await admin('counts')).toEqual(teacher.counts());
  expect(await admin('requests')).toEqual({ 'request-1': { asked: 2, answered: 1 } });
});

test('it counts what it did', async () => {
  const { teacher, client } = await runningTeacher({ faults: { script: [{ kind: 'status', status: 500 }] } });
  const ask = () => client.chat.completions.create({ model: 'gpt-4', messages: [{ role: 'user', content: 'hi' }] });
  await expect(ask()).rejects.toThrow(OpenAI.InternalServerError);
  await ask();
  await ask();
  expect(teacher.counts()).toMatchObject({ requests: 3, answered: 2, repeated: 1, byKind: { other: 2 } });
});

test('it runs as a process of its own, until a signal ends it', async () => {
  const script = 'demo/local-teacher/main.ts';
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

describe('a web page', () => {
  test('gets no answer, under its own origin or another host name', async () => {
    const { teacher } = await runningTeacher();
    const page = { origin: 'https://evil.example' };
    const { status } = await fetch(`${teacher.baseUrl}/chat/completions`, {
      method: 'POST',
      headers: page,
      body: '{}',
    });
    expect(status).toBe(403);
    const rebound = httpRequest({
      port: teacher.port,
      path: '/v1/models',
      headers: { host: `evil.example:${teacher.port}` },
    });
    const [answer] = (await once(rebound.end(), 'response')) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(403);
    expect(teacher.counts().requests).toBe(0);
  });
});

test('uploads are kept up to a limit, and a deleted file makes room', async () => {
  const files = createFileStore({ mostBytes: 10 });
  const upload = async (content: string) => {
    const form = new FormData();
    form.set('purpose', 'batch');
    form.set('file', new Blob([content]), 'a.jsonl');
    const sent = new Request('http://teacher', { method: 'POST', body: form });
    const type = sent.headers.get('content-type') ?? '';
    return files.handle('POST', '/v1/files', Buffer.from(await sent.arrayBuffer()), type);
  };
  expect(await upload('12345678')).toMatchObject({ status: 200, body: { id: 'file-1' } });
  expect(await upload('123')).toMatchObject({ status: 413 });
  await files.handle('DELETE', '/v1/files/file-1', Buffer.alloc(0), '');
  expect(await upload('123')).toMatchObject({ status: 200, body: { id: 'file-2' } });
});
