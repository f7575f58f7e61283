import { expect, test } from 'vitest';
import { duplicateFinder } from '../../src/generation/duplicates.ts';

const choices = ['red', 'blue', 'green', 'black'];
const asked = (image_id: number, question: string, others = choices) => ({ image_id, question, choices: others });

test('a question about the same image counts as the same though a word of many differs', () => {
  const find = duplicateFinder(
    [asked(1, 'What is the man in the blue shirt next to the red bus holding up in his hand?')],
    {
      similarity: 0.7,
    },
  );
  const again = 'What is the man in the blue shirt next to the red bus holding in his hand?';
  expect(find(asked(1, again))).toMatchObject({ reason: 'near_duplicate' });
  expect(find(asked(2, again))).toBeUndefined();
  expect(find(asked(1, 'What color is the bus?'))).toBeUndefined();
});

test('no more than so many questions may be similar in all rounds, about any images', () => {
  const question = 'What color is the car?';
  const find = duplicateFinder([asked(1, question)], { similarity: 0.85, maximumAlike: 2 });
  expect(find(asked(2, question))).toBeUndefined();
  expect(find(asked(3, 'what color is this car', [...choices].reverse()))).toEqual({
    reason: 'asked_too_often',
    detail: `2 like it, such as: ${question}`,
  });
  expect(find(asked(4, question, ['red', 'pink', 'gold', 'gray']))).toBeUndefined();
});
