import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { findLetters, renameLetters } from '../../src/generation/choice-letters.ts';
import { noSharedFiles, sharedFile } from '../helpers/shared-files.ts';

const choices = ['a bat', 'a ball', 'a glove', 'a hat'];
/** The choices after the shuffle: hat, glove, ball, bat. */
const reversed = [3, 2, 1, 0];
const renamed = (text: string) => renameLetters(text, choices, reversed);

describe('letters that follow their choices', () => {
  test.each([
    ['Options A, B and D are incorrect.', 'Options D, C and A are incorrect.'],
    ['Options (A), (B), and (D) are wrong.', 'Options (D), (C), and (A) are wrong.'],
    ['Choices A/B are not seen.', 'Choices D/C are not seen.'],
    ['Option A is wrong, B is wrong and D is wrong too.', 'Option D is wrong, C is wrong and A is wrong too.'],
    ['The other options (A, B, D) are wrong.', 'The other options (D, C, A) are wrong.'],
    ['Answer C: the glove is seen. A and B are not.', 'Answer B: the glove is seen. D and C are not.'],
    ['This rules out A, B, and D.', 'This rules out D, C, and A.'],
    ['The correct answer is A, since one sees a bat.', 'The correct answer is D, since one sees a bat.'],
    ['A: a bat is not seen. B: no ball.', 'D: a bat is not seen. C: no ball.'],
    ['Option "B" is wrong, and so is choice **D**.', 'Option "C" is wrong, and so is choice **A**.'],
    ["A shows a bat; B's ball is not seen.", "D shows a bat; C's ball is not seen."],
    ['Answer b is wrong, as are options a, c and (d).', 'Answer c is wrong, as are options d, b and (a).'],
  ])('%s', (text, expected) => {
    expect(renamed(text)).toBe(expected);
  });
});

describe('letters that name no choice stay', () => {
  test.each([
    'A man holds a glove. A glass is behind him.',
    'In a B-movie (A1), near Washington D.C., one writes C++.',
    'He says "A glove is enough".',
    'So the answer is a glove.',
  ])('%s', (text) => {
    expect(renamed(text)).toBe(text);
  });
});

describe('it is not sure what is meant by', () => {
  test.each([
    'The second option is wrong.',
    'The first and third choices are wrong.',
    'Option 2 is wrong.',
    'Options A to C are wrong.',
    'Answers b-d are wrong.',
    'It is rich in vitamin C.',
    'John D. Rockefeller holds it.',
    'A clearly is not seen.',
    'Option a person would take.',
    'He holds a glove, so C.',
    '选项A错误',
  ])('%s', (text) => {
    expect(renamed(text)).toBeUndefined();
  });

  test('a letter that is itself the words of a choice', () => {
    expect(renameLetters('The sign shows it, so B is right.', ['B', 'D', 'K', 'L'], reversed)).toBeUndefined();
    expect(renameLetters('Option (A) is right.', ['B', 'D', 'K', 'L'], reversed)).toBe('Option (D) is right.');
  });
});

test('of the rationales of A-OKVQA, where letters are often small ones, fewer than 1 % are unsure', async (context) => {
  const file = sharedFile('aokvqa/aokvqa_v1p0_val.json') ?? context.skip(noSharedFiles);
  const questions = JSON.parse(await readFile(file, 'utf8')) as { choices: string[]; rationales: string[] }[];
  const known = questions.flatMap((question) =>
    question.rationales.map((rationale) => findLetters(rationale, question.choices) !== undefined),
  );
  expect(known.filter((isKnown) => !isKnown).length / known.length).toBeLessThan(0.01);
});
