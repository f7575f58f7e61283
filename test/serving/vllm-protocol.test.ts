/**
 * vLLM's form of prompt log-probabilities, and our requests and responses in the classes that declare vLLM's protocol.
 * `test/fixtures/make-vllm-fixture.py` has recorded what those make of them.
 */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { ours } from '../fixtures/vllm/ours.ts';
import { post, serveWords } from './serve-words.ts';

interface Fixture {
  vllm: string;
  requests: { name: string; body: object; taken: boolean }[];
  responses: { kind: string; body: Record<string, unknown>; parsed: Record<string, unknown>; undeclared: string[] }[];
  written: { prompt_logprobs: unknown };
}

const fixture = JSON.parse(await readFile('test/fixtures/vllm/protocol.json', 'utf8')) as Fixture;
const { requests, responses } = await ours();

test('the fixture is of what is served now', () => {
  expect(fixture.requests.map(({ name, body }) => ({ name, body }))).toEqual(requests);
  expect(fixture.responses.map(({ kind, body }) => ({ kind, body }))).toEqual(responses);
  expect(responses.length).toBeGreaterThan(30);
});

test('vLLM takes every request that is taken here', () => {
  expect(fixture.requests.filter(({ taken }) => !taken)).toEqual([]);
});

test("vLLM's classes read every response as it is meant, and declare all its fields but OpenAI's own", () => {
  for (const { body, parsed } of fixture.responses) expect(parsed).toMatchObject(body);
  expect(new Set(fixture.responses.flatMap(({ undeclared }) => undeclared))).toEqual(
    new Set(['choices.logprobs.refusal']),
  );
});

describe('scores of a prompt', () => {
  const asked = { model: 'base', prompt_logprobs: 0, max_tokens: 1, add_generation_prompt: false };
  const messages = [
    { role: 'user', content: 'Which?' },
    { role: 'assistant', content: 'a cat' },
  ];

  test('are by token, in the form that vLLM writes', async () => {
    const { address } = await serveWords();
    const { json } = await post(address, { ...asked, messages });
    expect(json.prompt_logprobs).toEqual([
      null,
      { 101: { logprob: -0.125, rank: null, decoded_token: 'Which?' } },
      { 102: { logprob: -0.25, rank: null, decoded_token: 'a' } },
      { 103: { logprob: -0.375, rank: null, decoded_token: 'cat' } },
      { 104: { logprob: -0.5, rank: null, decoded_token: '<end>' } },
    ]);
    const fieldsOf = (scores: unknown) =>
      new Set((scores as (object | null)[]).flatMap((score) => Object.values(score ?? {}).flatMap(Object.keys)));
    expect(fieldsOf(json.prompt_logprobs)).toEqual(fieldsOf(fixture.written.prompt_logprobs));
  });

  test('of an answer that stays open have no end mark; nothing is written behind an answer', async () => {
    const { address, engine } = await serveWords();
    const { json } = await post(address, { ...asked, messages, continue_final_message: true });
    expect(json.prompt_logprobs).toHaveLength(4);
    expect(json.choices).toMatchObject([{ message: { content: '' }, finish_reason: 'length' }]);
    expect(json.usage).toEqual({ prompt_tokens: 4, completion_tokens: 0, total_tokens: 4 });
    expect(engine.requests).toEqual([]);
  });

  test('come with the answer to a question', async () => {
    const { address } = await serveWords();
    const question = {
      model: 'base',
      prompt_logprobs: 0,
      max_tokens: 2,
      temperature: 0,
      messages: messages.slice(0, 1),
    };
    const { json } = await post(address, question);
    expect(json.prompt_logprobs).toHaveLength(2);
    expect(json.choices[0]?.message.content).toBe('base heard');
  });

  test.each([
    ['add_generation_prompt', {}],
    ['add_generation_prompt', { add_generation_prompt: true, continue_final_message: true }],
  ])('an answer and the start of another one (%s: %j) exclude each other', async (field, given) => {
    const { address } = await serveWords();
    const { status, json } = await post(address, { model: 'base', prompt_logprobs: 0, messages, ...given });
    expect([status, json.error?.param]).toEqual([400, field]);
  });
});
