import { expect, test } from 'vitest';
import { readPrompt } from '../../../demo/local-teacher/read-prompt.ts';
import { buildMessages } from '../../../src/generation/prompt.ts';
import { readQuestionTypes } from '../../../src/generation/question-types.ts';
import { readPromptTemplate } from '../../../src/teacher/prompt-template.ts';
import { annotatedImage } from '../../generation/images.ts';
import { request } from '../../generation/requests.ts';

const template = await readPromptTemplate('configs/prompts/generate-v1.md');
const questionTypes = await readQuestionTypes('configs/question-types.yaml');

test.each(questionTypes.map(({ name }) => name))('a prompt for %s is read back as it was written', (question_type) => {
  const captions = ['a cat: sitting', 'a dog, standing'];
  const image = annotatedImage({ id: 3, captions });
  const examples = [{ idx: 'x', prompt: 'Question: What now?\nChoices: (A) 1 (B) 2 (C) 3 (D) 4' }];
  const messages = buildMessages({ request: request(3, { question_type, examples }), image, questionTypes, template });
  expect(readPrompt(messages.map(({ content }) => content).join('\n\n'))).toEqual({
    kind: 'generate',
    isShort: false,
    questionType: question_type,
    quoted: [],
    captions,
    boxes: [{ category: 'cat', edges: [0.1, 0.1, 0.6, 0.6] }],
    exampleQuestions: ['What now?'],
  });
});

test('any other prompt is one', () => {
  expect(readPrompt('What is the weather like?')).toEqual({ kind: 'other' });
});
