/** What `teacher.extraBody` may send: by the requests that a server gets, and by the refusals. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { extraFields } from '../../src/config/extra-body.ts';
import { teacherSchema } from '../../src/config/teacher-schema.ts';
import { describeFirstIssue } from '../../src/core/input-error.ts';
import { goodReply, setUp } from '../teacher/faulty-round.ts';

function refusal(extraBody: unknown) {
  const { error } = teacherSchema.safeParse({ extraBody });
  return error && describeFirstIssue(error);
}

describe('is refused by name, with the reason', () => {
  test.each([
    ['service_tier', 'flex', /costs/],
    ['prediction', { type: 'content', content: 'x' }, /costs/],
    ['n', 3, /costs/],
    ['tools', [], /caption/],
    ['tool_choice', 'auto', /caption/],
    ['functions', [], /caption/],
    ['function_call', 'auto', /caption/],
    ['web_search_options', {}, /other hosts/],
    ['plugins', [{ id: 'web' }], /other hosts/],
    ['data_sources', [{ type: 'azure_search', parameters: { endpoint: 'https://example.org' } }], /other hosts/],
    ['modalities', ['text', 'audio'], /text/],
    ['audio', {}, /text/],
    ['user', 'ann', /person/],
    ['safety_identifier', 'ann', /person/],
    ['prompt_cache_key', 'x', /keep prompts/],
    ['prompt_cache_retention', '24h', /keep prompts/],
    ['models', ['gpt-4', 'other'], /who gets the prompts/],
    ['route', 'fallback', /who gets the prompts/],
    ['provider', { order: ['x'] }, /who gets the prompts/],
    ['fallbacks', ['x'], /who gets the prompts/],
    ['user_config', {}, /who gets the prompts/],
    ['api_base', 'https://example.org', /another host.*teacher\.baseUrl/],
    ['base_url', 'https://example.org', /another host/],
    ['api_key', 'k', /another key/],
    ['extra_body', { api_key: 'k' }, /another host/],
    ['extra_headers', { authorization: 'k' }, /another host/],
    ['stream_options', { include_usage: true }, /pieces/],
    ['chat_template', '{{ messages }}', /changes the prompt/],
    ['model', 'gpt-5', /other keys of teacher/],
    ['a_field_of_tomorrow', 1, /not known to change nothing but the words/],
    ['constructor', 1, /not known/],
    ['Tools', [], /not known/],
  ])('%s', (field, value, why) => {
    const { field: named, problem } = refusal({ top_k: 20, [field]: value }) ?? {};
    expect(named).toBe(`extraBody.${field}`);
    expect(problem).toMatch(why);
  });

  test('null does not make a field harmless', () => {
    expect(refusal({ tools: null })).toMatchObject({ field: 'extraBody.tools' });
  });

  test.each([
    [{ chat_template: '{{ x }}' }, 'chat_template'],
    [{ tokenize: true }, 'tokenize'],
    [{ documents: 'x' }, 'documents'],
    [{ enable_thinking: { nested: true } }, 'enable_thinking'],
  ])("chat_template_kwargs with the server's own arguments: %j", (chat_template_kwargs, name) => {
    expect(refusal({ chat_template_kwargs })).toMatchObject({ field: `extraBody.chat_template_kwargs.${name}` });
  });

  test('nothing is sent by a run whose config has such a field', () => {
    expect(() => teacherSchema.parse({ extraBody: { api_base: 'https://example.org' } })).toThrow(/api_base/);
  });
});

test('what users of vLLM and the like need is sent as it is written', async () => {
  const extraBody = {
    seed: null,
    top_k: 20,
    min_p: 0.05,
    repetition_penalty: 1.1,
    chat_template_kwargs: { enable_thinking: false, reasoning_effort: 'low' },
    guided_choice: ['A', 'B'],
    structured_outputs: { regex: '.*' },
    thinking: { type: 'disabled' },
  };
  const { generate, received } = await setUp(goodReply, { extraBody: teacherSchema.parse({ extraBody }).extraBody });
  await generate();
  const { seed: _, ...sent } = extraBody;
  expect(received[0]?.body).toMatchObject(sent);
  expect(received[0]?.body).not.toHaveProperty('seed');
});

test('docs/teacher.md lists all that may be sent', async () => {
  const page = await readFile('docs/teacher.md', 'utf8');
  expect(extraFields.filter((field) => !page.includes(`\`${field}\``))).toEqual([]);
});
