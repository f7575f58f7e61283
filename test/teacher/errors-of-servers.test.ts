/** The cases `bugs/04`, `05`, `06` and `16`: errors of servers of chat completions, as found in the field. */
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { teacherSchema } from '../../src/config/teacher-schema.ts';
import { example, goodReply, setUp } from './faulty-round.ts';
import { completionOf, type FaultyReply, goodAnswer, type Received } from './faulty-server.ts';

describe('bugs/04-error-in-200-body', () => {
  test.each<[string, FaultyReply, RegExp]>([
    [
      'err200',
      { body: { error: { message: 'Provider returned error: upstream is out of credits', code: 402 } } },
      /upstream is out of credits/,
    ],
    [
      'an error in a choice',
      { body: { choices: [{ finish_reason: 'error', error: { message: 'upstream key revoked', code: 401 } }] } },
      /upstream key revoked/,
    ],
    ['an error without a code', { body: { error: { message: 'insufficient credits' } } }, /insufficient credits/],
    ['an error that is a text', { body: { error: 'Invalid API key' } }, /Invalid API key/],
    ['vLLM’s form', { body: { object: 'error', message: 'The model does not exist', code: 404 } }, /does not exist/],
    [
      'html',
      { raw: '<html><body>Please log in to the network</body></html>', headers: { 'content-type': 'text/html' } },
      /web page.*Please log in to the network.*teacher.baseUrl/,
    ],
  ])('%s ends it at once, in the provider’s words', async (_, reply, words) => {
    const { generate, received } = await setUp(() => reply);
    await expect(generate()).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(words) });
    expect(received.length).toBeLessThanOrEqual(2);
  });

  test.each<[string, FaultyReply, RegExp]>([
    ['emptychoices', { body: completionOf('', { choices: [] }) }, /not a chat completion: .*"choices":\[\]/],
    ['nullchoices', { body: completionOf('', { choices: null }) }, /not a chat completion/],
    ['an error of an unknown kind', { body: { error: { message: 'something odd' } } }, /something odd/],
    ['half of a JSON', { raw: '{"choices": [' }, /not whole JSON/],
    ['words', { raw: 'upstream closed', headers: { 'content-type': 'text/plain' } }, /upstream closed/],
  ])('%s ends it after a few tries', async (_, reply, words) => {
    const { generate, received } = await setUp(() => reply);
    await expect(generate()).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(words) });
    expect(received.length).toBeLessThanOrEqual(12);
  });

  test('err200rate: a rate limit is retried', async () => {
    const error = { message: 'Rate limit exceeded: free-models-per-min', code: 429 };
    const { refine } = await setUp((received) => (received.number < 3 ? { body: { error } } : goodReply(received)));
    expect((await refine()).samples).toHaveLength(6);
  });

  test.each<[string, (received: Received) => FaultyReply]>([
    [
      'gzip',
      ({ number }) => ({
        raw: gzipSync(JSON.stringify(completionOf(`${goodAnswer(number)} Ünïcödé`))),
        headers: { 'content-encoding': 'gzip' },
      }),
    ],
    ['nomodel', ({ number }) => ({ body: completionOf(goodAnswer(number), { model: undefined }) })],
    ['parts', ({ number }) => ({ body: completionOf([{ type: 'text', text: goodAnswer(number) }]) })],
    ['ws', ({ number }) => ({ raw: `\n\n   \n${JSON.stringify(completionOf(goodAnswer(number)))}` })],
    ['an empty error', ({ number }) => ({ body: completionOf(goodAnswer(number), { error: null }) })],
    [
      'JSON as plain text',
      ({ number }) => ({
        raw: JSON.stringify(completionOf(goodAnswer(number))),
        headers: { 'content-type': 'text/plain' },
      }),
    ],
  ])('%s is read', async (_, reply) => {
    const { refine, received } = await setUp(reply);
    expect((await refine()).samples).toHaveLength(6);
    expect(received).toHaveLength(6);
  });
});

describe('bugs/05-max-tokens', () => {
  const reply = (received: Received): FaultyReply => {
    const refuse = (parameter: string) => ({
      status: 400,
      body: {
        error: {
          message: `Unsupported parameter: '${parameter}' is not supported with this model.`,
          type: 'invalid_request_error',
          param: parameter,
          code: 'unsupported_parameter',
        },
      },
    });
    if ('max_tokens' in received.body) return refuse('max_tokens');
    if ((received.body.temperature ?? 1) !== 1) return refuse('temperature');
    return goodReply(received);
  };

  test.each(['gpt-5', 'gpt-5.1-mini', 'o3', 'o4-mini-2025-04-16', 'openai/gpt-5'])('%s works', async (model) => {
    const { refine, received } = await setUp(reply, { model });
    expect((await refine()).samples).toHaveLength(6);
    expect(received[0]?.body).toMatchObject({ max_completion_tokens: 800 });
  });

  test.each(['gpt-4', 'gpt-4o', 'gpt-35-turbo', 'gpt-oss-20b', 'local-teacher'])(
    '%s is asked as before',
    async (model) => {
      const { generate, received } = await setUp(goodReply, { model });
      await generate();
      expect(received[0]?.body).toMatchObject({ max_tokens: 800, temperature: 0.7, top_p: 0.9 });
    },
  );

  test('a model by another name works with the keys that its errors name', async () => {
    const first = await setUp(reply, { model: 'my-deployment' });
    await expect(first.generate()).rejects.toThrow(/teacher.tokenLimitParameter/);
    const limited = { model: 'my-deployment', tokenLimitParameter: 'max_completion_tokens' } as const;
    const second = await setUp(reply, limited);
    await expect(second.generate()).rejects.toThrow(/teacher.samplingParameters/);
    const third = await setUp(reply, { ...limited, samplingParameters: 'omit' });
    expect((await third.refine()).samples).toHaveLength(6);
  });

  test('more fields are sent, and null leaves one out', async () => {
    const { generate, received } = await setUp(goodReply, { extraBody: { reasoning_effort: 'low', seed: null } });
    await generate();
    expect(received[0]?.body).toMatchObject({ reasoning_effort: 'low' });
    expect(received[0]?.body).not.toHaveProperty('seed');
  });

  test.each(['n', 'model', 'max_tokens', 'stream'])('%s is no extra field: the budget depends on it', (field) => {
    expect(teacherSchema.safeParse({ extraBody: { [field]: 3 } }).success).toBe(false);
  });
});

describe('bugs/06-vllm-context-length: one in-context example less is sent', () => {
  const tooLong =
    "This model's maximum context length is 1024 tokens. However, you requested 1500 tokens. Please reduce the length of the messages or completion.";
  const bad = { type: 'BadRequestError', param: null, code: 400 };

  test.each<[string, number, unknown]>([
    ['openaictx', 400, { error: { message: tooLong, code: 'context_length_exceeded' } }],
    ['vllmctx', 400, { error: { message: tooLong, ...bad } }],
    ['vllmflat', 400, { object: 'error', message: tooLong, ...bad }],
    [
      'vLLM, the decoder',
      400,
      {
        error: { message: 'The decoder prompt (length 9000) is longer than the maximum model length of 8192.', ...bad },
      },
    ],
    [
      'SGLang',
      400,
      {
        object: 'error',
        message: "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
        ...bad,
      },
    ],
    [
      'SGLang, with the answer',
      400,
      { object: 'error', message: "Requested token count exceeds the model's maximum context length of 8192 tokens." },
    ],
    ['Ollama', 500, { error: 'the input length exceeds the context length' }],
    [
      'llama.cpp',
      400,
      {
        error: {
          code: 400,
          message: 'request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it',
          type: 'exceed_context_size_error',
        },
      },
    ],
    [
      'llama.cpp, older',
      500,
      {
        error: {
          code: 500,
          message: 'the request exceeds the available context size. try increasing the context size',
        },
      },
    ],
    [
      'Text Generation Inference',
      422,
      { error: 'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048', error_type: 'validation' },
    ],
  ])('%s', async (_, status, body) => {
    const sizes = { whole: 0 };
    const { refine, received } = await setUp((one) => {
      sizes.whole = Math.max(sizes.whole, one.size);
      return one.size > sizes.whole - example.prompt.length ? { status, body } : goodReply(one);
    });
    expect((await refine()).samples).toHaveLength(6);
    expect(received).toHaveLength(12);
  });

  test('what else a server without an error object says is shown', async () => {
    const { generate } = await setUp(() => ({ status: 400, body: { object: 'error', message: 'no such thing' } }));
    await expect(generate()).rejects.toThrow(/no such thing/);
  });
});

describe('bugs/16-small', () => {
  test('redirect: the new address is said', async () => {
    const { generate } = await setUp(({ path }) => ({ status: 308, body: {}, headers: { location: `/real${path}` } }));
    await expect(generate()).rejects.toMatchObject({
      retryable: false,
      message: expect.stringMatching(/redirects to \/real\/v1\/chat\/completions.*teacher.baseUrl/),
    });
  });

  test.each([{ code: 'insufficient_quota' }, { type: 'insufficient_quota' }])('quota: %j', async (kind) => {
    const error = { message: 'You exceeded your current quota, please check your plan and billing details.', ...kind };
    const { generate, received } = await setUp(() => ({ status: 429, body: { error } }));
    await expect(generate()).rejects.toMatchObject({
      retryable: false,
      message: expect.stringMatching(/account is used up: .*exceeded your current quota.*waiting does not help/),
    });
    expect(received.length).toBeLessThanOrEqual(2);
  });
});
