import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Fault } from '../../demo/local-teacher/faults.ts';
import { localClient, localTeacher } from '../../demo/local-teacher/provider.ts';
import type { ChatMessage } from '../../src/teacher/prompt-template.ts';
import { openaiClient } from '../../src/teacher/providers/openai.ts';
import { askTeacher } from '../../src/teacher/teacher.ts';
import { runningTeacher, teacherSettings } from '../demo/local-teacher/running-teacher.ts';

const messages: ChatMessage[] = [{ role: 'user', content: 'Good morning' }];

describe('an answer', () => {
  test('has its text, its tokens, the model that gave it, and a hash of what was asked', async () => {
    const { teacher, client, settings } = await runningTeacher();
    const answer = await askTeacher(client, messages, settings, { seed: 7 });
    expect(answer).toMatchObject({ model: 'local-teacher', requestHash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(answer.text).toMatch(/local teacher/);
    const { promptTokens, completionTokens } = teacher.counts();
    expect(answer.usage).toEqual({ promptTokens, completionTokens, totalTokens: promptTokens + completionTokens });
  });

  test('has another hash when anything about the request differs', async () => {
    const { client, settings } = await runningTeacher();
    const hash = async (values: object, seed?: number) =>
      (await askTeacher(client, messages, { ...settings, ...values }, { seed })).requestHash;
    const hashes = [await hash({}), await hash({ temperature: 0 }), await hash({ model: 'gpt-5' }), await hash({}, 1)];
    expect(new Set(hashes).size).toBe(4);
    expect(await hash({})).toBe(hashes[0]);
  });
});

describe('a failure', () => {
  async function failure(...script: Fault[]) {
    const { teacher, client, settings } = await runningTeacher({ faults: { script } });
    const error: unknown = await askTeacher(client, messages, settings).catch((caught: unknown) => caught);
    expect(teacher.counts().requests).toBe(1);
    return error;
  }

  test('429 says how long to wait, and the client asks only once', async () => {
    const error = await failure({ kind: 'status', status: 429, retryAfterSeconds: 3 });
    expect(error).toMatchObject({ name: 'TeacherError', status: 429, retryable: true, retryAfterSeconds: 3 });
  });

  test('429 may say so in milliseconds', async () => {
    const error = await failure({ kind: 'status', status: 429, retryAfterMilliseconds: 250 });
    expect(error).toMatchObject({ retryAfterSeconds: 0.25 });
  });

  test('500 may be temporary', async () => {
    expect(await failure({ kind: 'status', status: 500 })).toMatchObject({ status: 500, retryable: true });
  });

  test('a cut connection may be temporary', async () => {
    expect(await failure({ kind: 'cut_connection' })).toMatchObject({ name: 'TeacherError', retryable: true });
  });

  test('an answer that is no chat completion may be temporary', async () => {
    expect(await failure({ kind: 'nonsense' })).toMatchObject({ name: 'TeacherError', retryable: true });
  });

  test('a used-up account is not retryable', async () => {
    const error = await failure({ kind: 'status', status: 429, code: 'insufficient_quota' });
    expect(error).toMatchObject({ retryable: false });
  });

  test('a refused key is not retryable, and says what to check', async () => {
    const { client, settings } = await runningTeacher({ faults: { requiredKey: 'another' } });
    const asked = askTeacher(client, messages, settings);
    await expect(asked).rejects.toMatchObject({
      status: 401,
      retryable: false,
      message: expect.stringMatching(/Check the key/),
    });
  });

  test('an unreachable address may be temporary, and says so', async () => {
    const { teacher, client, settings } = await runningTeacher();
    await teacher.close();
    const asked = askTeacher(client, messages, settings);
    await expect(asked).rejects.toMatchObject({
      retryable: true,
      message: expect.stringMatching(/could not be reached/),
    });
  });

  test('no answer in time may be temporary', async () => {
    const { settings } = await runningTeacher({ faults: { latencyMilliseconds: 2000 } });
    const client = localClient({ requestTimeoutSeconds: 0.05 }, settings.baseUrl);
    await expect(askTeacher(client, messages, settings)).rejects.toMatchObject({
      name: 'TeacherError',
      retryable: true,
    });
  });

  test('an abort is not the teacher’s failure: its reason is thrown', async () => {
    const { client, settings } = await runningTeacher({ faults: { latencyMilliseconds: 2000 } });
    const reason = new Error('enough');
    const controller = new AbortController();
    const asked = askTeacher(client, messages, settings, { signal: controller.signal });
    controller.abort(reason);
    await expect(asked).rejects.toBe(reason);
  });
});

describe('a client', () => {
  test('for OpenAI needs the key, and the error names the variable', () => {
    const create = () => openaiClient({ ...teacherSettings, apiKeyVariable: 'MY_KEY' }, {});
    expect(create).toThrow(/MY_KEY.*Set MY_KEY/s);
  });

  test('for OpenAI takes the key from the variable that the settings name', () => {
    const settings = { ...teacherSettings, apiKeyVariable: 'MY_KEY' };
    const client = openaiClient(settings, { MY_KEY: 'secret' });
    expect(client).toMatchObject({ apiKey: 'secret', baseURL: 'https://api.openai.com/v1', maxRetries: 0 });
  });

  test('for the local teacher is one of a server that is started for it, and never sends a real key', async () => {
    vi.stubEnv('OPENAI_API_KEY', 'secret');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { text, apiKey } = await localTeacher.connect(teacherSettings, async (client) => ({
      ...(await askTeacher(client, messages, teacherSettings)),
      apiKey: client.apiKey,
    }));
    expect(text).toMatch(/local teacher/);
    expect(apiKey).not.toBe('secret');
  });
});
