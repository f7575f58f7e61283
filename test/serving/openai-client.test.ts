/** The official client of OpenAI for Node against the server. */
import OpenAI, { APIError } from 'openai';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { serveWords } from './serve-words.ts';

const user = (content: OpenAI.ChatCompletionUserMessageParam['content']) => [{ role: 'user' as const, content }];

async function connect(settings: Parameters<typeof serveWords>[0] = {}, apiKey = 'none') {
  const served = await serveWords(settings);
  return { ...served, client: new OpenAI({ baseURL: `${served.address}v1`, apiKey, maxRetries: 0 }) };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function png(): Promise<string> {
  const image = await sharp({ create: { width: 4, height: 3, channels: 3, background: '#826' } })
    .png()
    .toBuffer();
  return `data:image/png;base64,${image.toString('base64')}`;
}

test('models are listed by name: the base, and adapters with their base', async () => {
  const { client } = await connect();
  const models = await all(client.models.list());
  expect(models).toMatchObject([
    { id: 'base', object: 'model', owned_by: 'dataengine', parent: null },
    { id: 'north', object: 'model', owned_by: 'dataengine', parent: 'base' },
  ]);
  expect(await client.models.retrieve('north')).toEqual(models[1]);
  await expect(client.models.retrieve('south')).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
});

test('a question is answered by the model that it names', async () => {
  const { client } = await connect();
  const ask = (model: string) => client.chat.completions.create({ model, messages: user('How many?'), temperature: 0 });
  const answer = await ask('base');
  expect(answer).toMatchObject({
    object: 'chat.completion',
    model: 'base',
    choices: [{ index: 0, message: { role: 'assistant' }, finish_reason: 'stop', logprobs: null }],
    usage: { prompt_tokens: 3, completion_tokens: 11, total_tokens: 14 },
  });
  expect(answer.choices[0]?.message.content).toBe('base heard "How many?" with 0 images: red é 🦊');
  expect((await ask('north')).choices[0]?.message.content).toMatch(/^north heard/);
});

test('images and turns reach the model as they were sent', async () => {
  const { client, engine } = await connect();
  const url = await png();
  await client.chat.completions.create({
    model: 'base',
    messages: [
      { role: 'developer', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'image_url', image_url: { url, detail: 'low' } },
          { type: 'text', text: 'What?' },
        ],
      },
      { role: 'assistant', content: [{ type: 'text', text: 'A square.' }] },
      { role: 'user', content: 'Which color?' },
    ],
  });
  const image = Buffer.from(url.slice(url.indexOf(',') + 1), 'base64');
  expect(engine.requests[0]?.turns).toEqual([
    { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
    {
      role: 'user',
      content: [
        { type: 'image', image },
        { type: 'text', text: 'What?' },
      ],
    },
    { role: 'assistant', content: [{ type: 'text', text: 'A square.' }] },
    { role: 'user', content: [{ type: 'text', text: 'Which color?' }] },
  ]);
});

test("settings reach the engine; those that are not given are the protocol's defaults", async () => {
  const { client, engine } = await connect();
  const given = { max_completion_tokens: 5, temperature: 0.5, top_p: 0.25, stop: ['x', 'y'], seed: 3, logprobs: true };
  await client.chat.completions.create({ model: 'base', messages: user('a'), ...given, top_logprobs: 2 });
  await client.chat.completions.create({
    model: 'base',
    messages: user('a'),
    stop: 'z',
    frequency_penalty: 0,
    user: 'me',
  });
  expect(engine.requests).toMatchObject([
    { maxTokens: 5, temperature: 0.5, topP: 0.25, stop: ['x', 'y'], seed: 3, topLogprobs: 2 },
    { maxTokens: 100, temperature: 1, topP: 1, stop: ['z'] },
  ]);
  expect(engine.requests[1]).not.toHaveProperty('topLogprobs');
});

test('a stop text and the longest answer end it', async () => {
  const { client } = await connect();
  const ask = async (rest: { stop?: string; max_tokens?: number }) => {
    const { choices } = await client.chat.completions.create({
      model: 'base',
      messages: user('a'),
      temperature: 0,
      ...rest,
    });
    return [choices[0]?.message.content, choices[0]?.finish_reason];
  };
  expect(await ask({ stop: ' with' })).toEqual(['base heard "a"', 'stop']);
  expect(await ask({ max_tokens: 2 })).toEqual(['base heard', 'length']);
});

test('a seed gives the same answers again, each choice one of its own', async () => {
  const { client } = await connect();
  const ask = async (seed?: number) => {
    const settings = { model: 'base', messages: user('a'), n: 8, ...(seed !== undefined && { seed }) };
    const { choices, usage } = await client.chat.completions.create(settings);
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(usage).toEqual({ prompt_tokens: 2, completion_tokens: 80, total_tokens: 82 });
    return choices.map(({ message }) => message.content);
  };
  expect(await ask(5)).toEqual(await ask(5));
  expect(new Set(await ask(5)).size).toBeGreaterThan(1);
  const drawn = await Promise.all([ask(), ask(), ask(), ask()]);
  expect(new Set(drawn.map((answers) => answers.join())).size).toBeGreaterThan(1);
});

test('log-probabilities of tokens and of alternatives', async () => {
  const { client } = await connect();
  const settings = { model: 'base', messages: user('a'), temperature: 0, logprobs: true };
  const { choices } = await client.chat.completions.create({ ...settings, top_logprobs: 2 });
  const content = choices[0]?.logprobs?.content ?? [];
  expect(content).toHaveLength(9);
  expect(content[1]).toEqual({
    token: ' heard',
    logprob: -0.25,
    bytes: [...Buffer.from(' heard')],
    top_logprobs: [
      { token: ' heard', logprob: -0.25, bytes: [...Buffer.from(' heard')] },
      { token: ' other', logprob: -9999, bytes: [...Buffer.from(' other')] },
    ],
  });
  const plain = await client.chat.completions.create(settings);
  expect(plain.choices[0]?.logprobs?.content?.[1]).toMatchObject({ logprob: -0.25, top_logprobs: [] });
});

describe('a stream', () => {
  test('has the tokens of the whole answer, and ends with what was used', async () => {
    const { client } = await connect();
    const settings = { model: 'base', messages: user('a b'), temperature: 0, logprobs: true, top_logprobs: 1 };
    const whole = await client.chat.completions.create(settings);
    const stream = client.chat.completions.stream({ ...settings, stream_options: { include_usage: true } });
    const pieces = await all(stream);
    expect(pieces[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
    expect(pieces.length).toBe(10 + 3);
    expect(pieces.slice(0, -1).map(({ usage }) => usage)).toEqual(Array(12).fill(null));
    expect(pieces.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
    expect(new Set(pieces.map(({ id }) => id)).size).toBe(1);
    const joined = await stream.finalChatCompletion();
    expect(joined.choices[0]).toMatchObject({ finish_reason: 'stop', logprobs: whole.choices[0]?.logprobs });
    expect(joined.choices[0]?.message.content).toBe(whole.choices[0]?.message.content);
  });

  test('comes token by token, while the answer is written', async () => {
    const { client } = await connect({ delay: 50 });
    const stream = await client.chat.completions.create({ model: 'base', messages: user('a'), stream: true });
    const times: number[] = [];
    for await (const piece of stream) if (piece.choices[0]?.delta.content) times.push(performance.now());
    expect(times).toHaveLength(9);
    expect((times.at(-1) as number) - (times[0] as number)).toBeGreaterThan(300);
  });

  test('of several choices has each under its number', async () => {
    const { client } = await connect({ delay: 2 });
    const stream = client.chat.completions.stream({ model: 'base', messages: user('a'), n: 3, seed: 1 });
    const joined = await stream.finalChatCompletion();
    const whole = await client.chat.completions.create({ model: 'base', messages: user('a'), n: 3, seed: 1 });
    expect(joined.choices.map(({ message }) => message.content)).toEqual(
      whole.choices.map(({ message }) => message.content),
    );
  });

  test('that the client leaves is canceled', async () => {
    const { client, engine } = await connect({ delay: 20 });
    const stream = await client.chat.completions.create({ model: 'base', messages: user('a'), stream: true, n: 2 });
    for await (const piece of stream) if (piece.choices[0]?.delta.content) break;
    await expect.poll(() => engine.running).toBe(0);
    expect(engine.canceled).toBe(2);
  });

  test('that fails before its first token is refused with a status, and later with an event', async () => {
    const { client, engine, reported } = await connect({ delay: 20 });
    const ask = () => client.chat.completions.create({ model: 'base', messages: user('a'), stream: true });
    engine.failure = new Error('secret');
    await expect(ask()).rejects.toMatchObject({ status: 500, message: expect.not.stringContaining('secret') });
    expect(reported).toEqual([engine.failure]);
    engine.failure = undefined;
    const stream = await ask();
    const read = async () => {
      for await (const piece of stream) if (piece.choices[0]?.delta.content) engine.failure = new Error('secret');
    };
    await expect(read()).rejects.toMatchObject({ message: expect.stringContaining('The answer failed') });
    expect(reported).toHaveLength(2);
  });
});

test("errors are those of the client's own classes, with field and code", async () => {
  const { client } = await connect({ key: 'k'.repeat(20) }, 'k'.repeat(20));
  const wrong = client.withOptions({ apiKey: 'another' });
  const ask = (settings: object, by = client) =>
    by.chat.completions.create({ model: 'base', messages: user('a'), ...settings }).catch((error: unknown) => error);
  expect(await ask({ tools: [] })).toBeInstanceOf(OpenAI.BadRequestError);
  expect(await ask({ tools: [] })).toMatchObject({
    param: 'tools',
    code: 'unsupported_parameter',
    type: 'invalid_request_error',
  });
  expect(await ask({ model: 'gpt-4' })).toBeInstanceOf(OpenAI.NotFoundError);
  expect(await ask({}, wrong)).toBeInstanceOf(OpenAI.AuthenticationError);
  expect(await ask({})).not.toBeInstanceOf(APIError);
});

test('a client that is refused for want of a place asks again when it was told to', async () => {
  const { client, engine } = await connect({ delay: 30, mostAnswers: 1 });
  const ask = (maxRetries: number) =>
    client.withOptions({ maxRetries }).chat.completions.create({ model: 'base', messages: user('a') });
  const first = ask(0);
  await expect.poll(() => engine.running).toBe(1);
  await expect(ask(0)).rejects.toBeInstanceOf(OpenAI.RateLimitError);
  const start = performance.now();
  await ask(2);
  expect(performance.now() - start).toBeGreaterThan(900);
  await first;
});
