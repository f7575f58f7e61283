import { expect, test } from 'vitest';
import { stripBoxes } from '../../src/generation/plain-text.ts';

test.each([
  ['the cat [0.3, 0.2, 0.6, 0.9] is seen', 'the cat is seen'],
  ['put the bag [0.4, 0.6, 0.5, 0.9] down', 'put the bag down'],
  ['her phone [0.4, 0.2, 0.6, 0.7].', 'her phone.'],
  ['the people [0.3, 0.2, 0.5, 0.7] and [0.5, 0.4, 0.6, 0.6] ride', 'the people ride'],
  ['people [0, 0, 1, 1], [0, 0, 1, 1] and [0, 0, 1, 1], and a dog', 'people, and a dog'],
  ['a dog [0, 0, 1, 1], a cat [0, 0, 1, 1] and a bird [0, 0, 1, 1]', 'a dog, a cat and a bird'],
  ['a text  with\nblanks', 'a text with blanks'],
  ['at 3.30 p.m., in Paris', 'at 3.30 p.m., in Paris'],
])('%j becomes %j', (text, stripped) => {
  expect(stripBoxes(text)).toBe(stripped);
});
