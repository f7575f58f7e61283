import { expect, test } from 'vitest';
import { extractChoice } from '../../src/evaluation/extract-choice.ts';

const options = [
  { letter: 'A', text: 'a teddy bear' },
  { letter: 'B', text: 'Rabbit' },
  { letter: 'C', text: 'cat' },
];

test.each([
  ['B', 'B'],
  ['B. Rabbit', 'B'],
  ['(C)', 'C'],
  ['The answer is (B) Rabbit.', 'B'],
  ['The answer is (B) A rabbit.', 'B'],
  ['**C**', 'C'],
  ['The correct answer is **C**. Here is why: A cat has whiskers, as one sees here, and so on.', 'C'],
  ['It is a rabbit', 'B'],
  ['A TEDDY BEAR', 'A'],
])('%s means %s', (answer, letter) => expect(extractChoice(answer, options)).toEqual({ letter }));

test.each(['Z', "I can't process this file.", 'Cannot determine the answer.'])('%s names none', (answer) =>
  expect(extractChoice(answer, options)).toBe('none'),
);

test.each([
  '',
  'a spider',
  'a rabbit and a cat',
  'A or B',
  'An image with many things on a large table in front of a window',
  `A long story of ${'many words '.repeat(10)}, and one rabbit`,
])('of %s the rules can tell nothing', (answer) => expect(extractChoice(answer, options)).toBeUndefined());

test('a letter that is no option of the question is none', () => {
  expect(extractChoice('D', options)).toBeUndefined();
  expect(extractChoice('The answer is D.', options)).toBeUndefined();
});
