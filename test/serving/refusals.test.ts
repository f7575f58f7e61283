/** What the server does not support is refused by name, in OpenAI's form. */
import { expect, test } from 'vitest';
import { post, question, serveWords } from './serve-words.ts';

const messages = (...list: unknown[]) => ({ messages: list });
const image = (url: string) => ({ role: 'user', content: [{ type: 'image_url', image_url: { url } }] });

const refused: [field: string, request: object, problem: RegExp][] = [
  ['tools', { tools: [{ type: 'function', function: { name: 'f' } }] }, /Unsupported parameter: tools/],
  ['functions', { functions: [] }, /Unsupported parameter/],
  ['audio', { audio: {} }, /Unsupported parameter/],
  ['guided_json', { guided_json: {} }, /Unsupported parameter/],
  ['__proto__x', { __proto__x: 1 }, /Unsupported parameter/],
  [
    'stream_options.include_obfuscation',
    { stream: true, stream_options: { include_obfuscation: true } },
    /Unsupported parameter/,
  ],
  ['frequency_penalty', { frequency_penalty: 0.5 }, /is supported as 0 only/],
  ['presence_penalty', { presence_penalty: -1 }, /is supported as 0 only/],
  ['repetition_penalty', { repetition_penalty: 1.1 }, /is supported as 1 only/],
  ['top_k', { top_k: 40 }, /is supported as 0 or -1 only/],
  ['logit_bias["5"]', { logit_bias: { 5: 1 } }, /Unsupported parameter/],
  ['response_format.type', { response_format: { type: 'json_object' } }, /is supported as "text" only/],
  ['tool_choice', { tool_choice: 'required' }, /is supported as "none" only/],
  ['store', { store: true }, /is supported as false only/],
  ['service_tier', { service_tier: 'priority' }, /is supported as "auto" or "default" only/],
  ['prompt_logprobs', { prompt_logprobs: 5 }, /is supported as 0 only/],
  ['prompt_logprobs', { prompt_logprobs: 0, stream: true }, /in a stream/],
  ['n', { n: 9 }, /must be at most 8/],
  ['n', { n: 0 }, /must be at least 1/],
  ['temperature', { temperature: 2.5 }, /must be at most 2/],
  ['temperature', { temperature: 'hot' }, /must be a number/],
  ['top_p', { top_p: 0 }, /must be more than 0/],
  ['max_tokens', { max_tokens: 0 }, /must be at least 1/],
  ['max_tokens', { max_tokens: 5, max_completion_tokens: 6 }, /differs from max_completion_tokens/],
  ['stop', { stop: '' }, /is empty/],
  ['stop', { stop: 'a'.repeat(1001) }, /1000/],
  ['stop[1]', { stop: ['a', 7] }, /must be a text/],
  ['seed', { seed: 1.5 }, /must be a whole number/],
  ['top_logprobs', { logprobs: true, top_logprobs: 21 }, /must be at most 20/],
  ['top_logprobs', { top_logprobs: 2 }, /requires logprobs: true/],
  ['stream_options', { stream_options: { include_usage: true } }, /requires stream: true/],
  ['model', { model: undefined }, /is missing/],
  ['model', { model: 'gpt-4' }, /There is no model "gpt-4"/],
  ['messages', messages(), /is empty/],
  [
    'messages[0].role',
    messages({ role: 'tool', content: 'a', tool_call_id: 'b' }),
    /must be system, developer, user or assistant/,
  ],
  ['messages[0].name', messages({ role: 'user', content: 'a', name: 'Ada' }), /Unsupported parameter/],
  ['messages[0].content', messages({ role: 'user', content: 5 }), /must be a text or a list/],
  ['messages[0].content', messages({ role: 'user', content: [] }), /is empty/],
  [
    'messages[0].content[0].type',
    messages({ role: 'user', content: [{ type: 'input_audio' }] }),
    /must be text or image_url/,
  ],
  ['messages[0].content[0].type', messages({ role: 'system', content: [{ type: 'image_url' }] }), /must be text/],
  [
    'messages[0].content[0].image_url.url',
    messages(image('https://example.com/a.png')),
    /only images within the request/,
  ],
  ['messages[0].content[0].image_url.url', messages(image('file:///etc/passwd')), /only images within the request/],
  [
    'messages[0].content[0].image_url.url',
    messages(image('data:text/html;base64,PGI+')),
    /only images within the request/,
  ],
  ['messages[0].content[0].image_url.url', messages(image('data:image/png;base64,')), /is empty/],
  ['messages[0].content[0].image_url.url', messages(image('data:image/png;base64,%%%%')), /is not base64/],
  [
    'messages[0].content[0].image_url.url',
    messages(image('data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=')),
    /not an image/,
  ],
  ['messages', messages({ role: 'system', content: 'a' }), /the last one is not the user's/],
  [
    'messages',
    messages({ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }),
    /for prompt_logprobs only/,
  ],
  ['add_generation_prompt', { add_generation_prompt: false }, /is needed for an answer/],
  ['continue_final_message', { continue_final_message: true }, /is not the assistant's/],
];

test.each(refused)('%s: %j', async (field, request, problem) => {
  const { address, engine, reported } = await serveWords();
  const { status, json } = await post(address, { ...question('a'), ...request });
  expect(json.error).toEqual({
    message: expect.stringMatching(problem),
    type: 'invalid_request_error',
    param: field,
    code: expect.any(String),
  });
  expect(json.error?.message).toContain(field === 'model' ? 'model' : field);
  expect(status).toBe(json.error?.code === 'model_not_found' ? 404 : 400);
  expect([engine.requests, reported]).toEqual([[], []]);
});

test.each([
  ['', /ends too early/],
  ['{"model": "base",', /line 1, column/],
  ['[1]', /must be an object/],
  ['null', /must be an object/],
  ['['.repeat(100_000), /nested deeper than 200 levels/],
  [`{"${'x'.repeat(100_000)}": 1}`, /is missing|Unsupported parameter/],
])('a body that is no request: %.20s', async (body, problem) => {
  const { address } = await serveWords();
  const { status, json } = await post(address, body);
  expect(status).toBe(400);
  expect(json.error?.message).toMatch(problem);
  expect(json.error?.message.length).toBeLessThan(1200);
});

test('values that change nothing are taken, and null is as if nothing was given', async () => {
  const { address } = await serveWords();
  const idle = {
    ...{ frequency_penalty: 0, presence_penalty: 0, repetition_penalty: 1, top_k: -1, min_p: 0, logit_bias: {} },
    ...{
      response_format: { type: 'text' },
      modalities: ['text'],
      tool_choice: 'none',
      store: false,
      service_tier: 'auto',
    },
    ...{
      user: 'me',
      n: null,
      stop: null,
      seed: null,
      max_tokens: null,
      stream: null,
      stream_options: null,
      logprobs: null,
    },
  };
  expect((await post(address, { ...question('a'), ...idle })).status).toBe(200);
});

test('what is not there, and what it may not be asked with', async () => {
  const { address } = await serveWords();
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`${address}${path}`, { method });
    const text = await response.text();
    return [response.status, text === '' ? '' : (JSON.parse(text) as { error: { code: string } }).error.code];
  };
  expect(await get('v1/completions')).toEqual([404, 'not_found']);
  expect(await get('constructor')).toEqual([404, 'not_found']);
  expect(await get('v1/chat/completions')).toEqual([405, 'method_not_allowed']);
  expect(await get('v1/models', 'POST')).toEqual([405, 'method_not_allowed']);
  expect(await get('', 'OPTIONS')).toEqual([405, 'method_not_allowed']);
});
