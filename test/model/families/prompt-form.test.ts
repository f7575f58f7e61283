import { expect, it } from 'vitest';
import { captionRequest, listedQuestion } from '../../../src/datasets/question-text.ts';
import { llavaPromptForm } from '../../../src/model/families/llava/prompt.ts';
import { miniGpt4PromptForm } from '../../../src/model/families/minigpt4/prompt.ts';
import { type PromptForm, promptFormSchema, questionTurn } from '../../../src/model/families/prompt-form.ts';

const aboutImage = (form: PromptForm, question: string) => questionTurn(form, question, { withImage: true });
const inWords = (form: PromptForm, question: string) => questionTurn(form, question, { withImage: false });

it('puts the words of MiniGPT-4 around a question with choices', () => {
  const question = listedQuestion('What is red?', ['cat', 'dog', 'cup', 'bus']);
  expect(aboutImage(miniGpt4PromptForm, question)).toBe(
    '###Human: <Img><ImageHere></Img> What is red?\n(A) cat (B) dog (C) cup (D) bus\n###Assistant: ',
  );
});

it('puts them around a question without choices, and around a request', () => {
  expect(aboutImage(miniGpt4PromptForm, listedQuestion('What is red?'))).toBe(
    '###Human: <Img><ImageHere></Img> What is red?\n###Assistant: ',
  );
  expect(aboutImage(miniGpt4PromptForm, listedQuestion(captionRequest))).toBe(
    '###Human: <Img><ImageHere></Img> Describe this image in detail.\n###Assistant: ',
  );
});

it('asks in words alone', () => {
  expect(inWords(miniGpt4PromptForm, 'What is red?\n')).toBe('###Human: What is red?\n###Assistant: ');
  expect(inWords(llavaPromptForm, 'What is red?\n')).toBe('USER: What is red? ASSISTANT:');
});

it('takes a question as it is, whatever signs are in it', () => {
  expect(aboutImage(llavaPromptForm, "What costs $& or $1, $' and {question}?")).toBe(
    "USER: <image>\nWhat costs $& or $1, $' and {question}? ASSISTANT:",
  );
});

it('is plain data: a job carries it to another process', () => {
  for (const form of [miniGpt4PromptForm, llavaPromptForm]) {
    expect(promptFormSchema.parse(JSON.parse(JSON.stringify(form)))).toEqual(form);
  }
});
