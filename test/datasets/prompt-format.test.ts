import { expect, it } from 'vitest';
import { answerQma, answerQmae, captionTurn, humanTurn, promptForms } from '../../src/datasets/prompt-format.ts';

const choices = ['cat', 'dog', 'cup', 'bus'];

it('asks with choices as MiniGPT-4 does', () => {
  expect(humanTurn('What is red?', choices)).toBe(
    '###Human: <Img><ImageHere></Img> What is red?\n(A) cat (B) dog (C) cup (D) bus\n###Assistant: ',
  );
});

it('asks without choices', () => {
  expect(humanTurn('What is red?')).toBe('###Human: <Img><ImageHere></Img> What is red?\n###Assistant: ');
  expect(captionTurn()).toBe('###Human: <Img><ImageHere></Img> Describe this image in detail.\n###Assistant: ');
});

it('answers with letter and choice', () => {
  expect(answerQma(choices, 2)).toBe('The answer is (C) cup.');
});

it('explains with the longest rationale, without its heading', () => {
  expect(answerQmae(choices, 0, ['It purrs.', 'Explanations: It purrs and has whiskers.', 'A cat.'])).toBe(
    'The answer is (A) cat. It purrs and has whiskers.',
  );
  expect(answerQmae(choices, 0, [])).toBe('The answer is (A) cat.');
});

it('has no letter for a fifth choice', () => {
  expect(() => answerQma([...choices, 'car'], 4)).toThrow('Choice 4 has no letter');
});

it('asks in words alone', () => {
  expect(promptForms.minigpt4.turnWithoutImage('What is red?\n')).toBe('###Human: What is red?\n###Assistant: ');
  expect(promptForms.llava.turnWithoutImage('What is red?\n')).toBe('USER: What is red? ASSISTANT:');
});
