import { expect, it } from 'vitest';
import { answerQma, answerQmae, listedQuestion } from '../../src/datasets/question-text.ts';

const choices = ['cat', 'dog', 'cup', 'bus'];

it('lists choices below their question, each with its letter', () => {
  expect(listedQuestion('What is red?', choices)).toBe('What is red?\n(A) cat (B) dog (C) cup (D) bus\n');
});

it('ends a question without choices with its line', () => {
  expect(listedQuestion('What is red?')).toBe('What is red?\n');
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
