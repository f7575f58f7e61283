/** That other programs make the prompts of training of these files is tested with transformers: trainer/torch/asking. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { chatTemplate } from '../../../src/model/families/chat-template.ts';
import { families } from '../../../src/model/families/index.ts';
import { llavaPromptForm } from '../../../src/model/families/llava/prompt.ts';
import { miniGpt4PromptForm } from '../../../src/model/families/minigpt4/prompt.ts';
import { conversationTurn, questionTurn } from '../../../src/model/families/prompt-form.ts';
import { writeAskingFiles } from '../../../src/model/files/asking-files.ts';
import { readEndTokens } from '../../../src/model/files/generation-config.ts';
import { loadTokenizer } from '../../../src/model/text/tokenizer.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { writeTinyModel } from '../../helpers/tiny-model.ts';

async function tinyModel(family: 'llava' | 'minigpt4', files: Record<string, object | string> = {}): Promise<string> {
  const model = path.join(await temporaryFolder(), family);
  await mkdir(model);
  await writeTinyModel(model, { family });
  for (const [name, content] of Object.entries(files)) {
    await writeFile(path.join(model, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return model;
}

const contentOf = async (model: string, name: string) => JSON.parse(await readFile(path.join(model, name), 'utf8'));

test.each([llavaPromptForm, miniGpt4PromptForm])(
  'a question about one image is a conversation of one turn: %j',
  (form) => {
    const turn = conversationTurn(form, { question: 'What is it?', images: 1, isFirst: true });
    expect(turn).toBe(questionTurn(form, 'What is it?', { withImage: true }));
    expect(families).toHaveLength(2);
  },
);

test("replaces the base's templates wherever they are, and keeps all other settings", async () => {
  const model = await tinyModel('llava', {
    'chat_template.jinja': 'another',
    'chat_template.json': { chat_template: 'another' },
    'processor_config.json': { chat_template: 'another', patch_size: 99, num_query_tokens: 7 },
  });
  const tokenizer = await contentOf(model, 'tokenizer_config.json');
  await writeFile(
    path.join(model, 'tokenizer_config.json'),
    JSON.stringify({ ...tokenizer, chat_template: 'another' }),
  );
  await writeAskingFiles(model);
  expect(await readFile(path.join(model, 'chat_template.jinja'), 'utf8')).toBe(
    chatTemplate(llavaPromptForm, 'bos_token'),
  );
  expect(await readdir(model)).not.toContain('chat_template.json');
  expect(await contentOf(model, 'tokenizer_config.json')).toEqual({
    ...tokenizer,
    tokenizer_class: 'PreTrainedTokenizerFast',
  });
  expect(await contentOf(model, 'processor_config.json')).toEqual({
    processor_class: 'LlavaProcessor',
    patch_size: 16,
    num_additional_image_tokens: 1,
    vision_feature_select_strategy: 'default',
    image_token: '<image>',
    num_query_tokens: 7,
  });
});

test("writes greedily up to the end tokens of training; the base's own settings are kept where they say nothing else", async () => {
  const own = { do_sample: true, temperature: 0.5, num_beams: 4, _from_model_config: true };
  const model = await tinyModel('minigpt4', {
    'generation_config.json': { ...own, eos_token_id: 7, max_length: 99, repetition_penalty: 1.1 },
  });
  await writeAskingFiles(model);
  const { endToken } = await loadTokenizer(model);
  expect(await contentOf(model, 'generation_config.json')).toEqual({
    eos_token_id: [7, endToken],
    bos_token_id: 0,
    pad_token_id: 2,
    do_sample: false,
    max_length: 99,
    repetition_penalty: 1.1,
  });
  const plain = await tinyModel('minigpt4');
  const before = await readEndTokens(plain);
  await writeAskingFiles(plain);
  expect([before, await readEndTokens(plain)]).toEqual([undefined, [endToken]]);
});

test.each([
  ['named, and put first by the tokenizer too', { names: true, adds: true }, /^\{\{- bos_token -\}\}/],
  ['named alone', { names: true, adds: false }, /^\{\{- bos_token -\}\}/],
  ['put first by the tokenizer alone', { names: false, adds: true }, /^\{%- set ns/],
  ['known to the config alone', { names: false, adds: false }, /^\{\{- "<s>" -\}\}/],
])('a begin token that is %s stands in a prompt once', async (_, { names, adds }, start) => {
  const model = await tinyModel('llava');
  const tokenizer = await contentOf(model, 'tokenizer.json');
  if (adds) {
    tokenizer.post_processor = {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] } },
    };
  } else tokenizer.post_processor = null;
  await writeFile(path.join(model, 'tokenizer.json'), JSON.stringify(tokenizer));
  for (const name of names ? [] : ['tokenizer_config.json', 'special_tokens_map.json']) {
    const { bos_token: __, ...rest } = await contentOf(model, name);
    await writeFile(path.join(model, name), JSON.stringify(rest));
  }
  await writeAskingFiles(model);
  expect(await readFile(path.join(model, 'chat_template.jinja'), 'utf8')).toMatch(start);
});

test('leaves a model of another kind, and one without a tokenizer, as they are', async () => {
  const model = path.join(await temporaryFolder(), 'other');
  await mkdir(model);
  await writeFile(path.join(model, 'weights.bin'), 'of a trainer of its own');
  await writeAskingFiles(model);
  await writeFile(path.join(model, 'config.json'), JSON.stringify({ model_type: 'qwen2_vl' }));
  await writeFile(path.join(model, 'tokenizer.json'), '{}');
  await writeAskingFiles(model);
  expect((await readdir(model)).toSorted()).toEqual(['config.json', 'tokenizer.json', 'weights.bin']);
});
