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

it('explains with the longest rationale, its heading included, as the reference system trains', () => {
  expect(answerQmae(choices, 0, ['It purrs.', 'Explanations: It purrs and has whiskers.', 'A cat.'])).toBe(
    'The answer is (A) cat. Explanations: It purrs and has whiskers.',
  );
  expect(answerQmae(choices, 0, ['It purrs.', 'It meows.'])).toBe('The answer is (A) cat. It purrs.');
  // Six characters in Python, eight units in JavaScript.
  expect(answerQmae(choices, 0, ['ab 𝕔 𝕕', 'abcdefg'])).toBe('The answer is (A) cat. abcdefg');
  expect(answerQmae(choices, 0, [])).toBe('The answer is (A) cat.');
});

it('has letters for 26 choices, and none for another', () => {
  const many = Array.from({ length: 27 }, (_, index) => `thing ${index}`);
  expect(answerQma(many, 25)).toBe('The answer is (Z) thing 25.');
  expect(() => answerQma(many, 26)).toThrow('Choice 26 has no letter');
});
