/** What the templates write, by the Jinja of Hugging Face in JavaScript; by transformers' own in trainer/torch/asking. */
import { Template } from '@huggingface/jinja';
import { describe, expect, test } from 'vitest';
import { chatTemplate } from '../../../src/model/families/chat-template.ts';
import { llavaPromptForm } from '../../../src/model/families/llava/prompt.ts';
import { miniGpt4PromptForm } from '../../../src/model/families/minigpt4/prompt.ts';
import { type PromptForm, questionTurn } from '../../../src/model/families/prompt-form.ts';

const image = { type: 'image' };
const text = (words: string) => ({ type: 'text', text: words });
const user = (...content: object[]) => ({ role: 'user', content });

function render(form: PromptForm, messages: object[], add_generation_prompt = true): string {
  return new Template(chatTemplate(form, 'bos_token')).render({ messages, add_generation_prompt, bos_token: '<s>' });
}

const forms = { llava: llavaPromptForm, minigpt4: miniGpt4PromptForm };
const withoutConversations = Object.entries(forms).map(([name, { conversation: _, ...form }]) => [name, form] as const);

describe.each(withoutConversations)('%s, as a family that has no form for conversations', (_, form) => {
  test.each([true, false])('a question is that of training, with an image: %j', (withImage) => {
    const content = withImage ? [image, text('What is it? ')] : [text('What is it? ')];
    const turn = `<s>${questionTurn(form, 'What is it? ', { withImage })}`;
    expect(render(form, [user(...content)])).toBe(turn);
    const answered = [user(...content), { role: 'assistant', content: 'A cat' }];
    expect(render(form, answered, false)).toBe(`${turn}${form.answerSeparator}A cat${form.endMark}`);
  });

  test('a second question, a system prompt and a second image are refused', () => {
    const question = user(text('What is it?'));
    expect(() => render(form, [question, { role: 'assistant', content: 'A cat' }, question])).toThrow('one question');
    expect(() => render(form, [{ role: 'system', content: 'Be brief.' }, question])).toThrow('no system prompt');
    expect(() => render(form, [user(image, image, text('Which?'))])).toThrow('one image');
  });
});

test.each(Object.entries(forms))('%s: the first question of a conversation is that of training', (_, form) => {
  const turn = questionTurn(form, 'What is it?', { withImage: true });
  expect(render(form, [user(image, text('What is it?'))])).toBe(`<s>${turn}`);
});
