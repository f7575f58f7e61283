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

it('has letters for seven choices, as the reference system has, and none for an eighth', () => {
  expect(answerQma([...choices, 'car', 'hat', 'key'], 6)).toBe('The answer is (G) key.');
  expect(() => answerQma([...choices, 'car', 'hat', 'key', 'pen'], 7)).toThrow('Choice 7 has no letter');
});
