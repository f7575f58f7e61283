import { expect, test } from 'vitest';
import { chooseFromTexts, extractChoice } from '../../src/evaluation/extract-choice.ts';

const choices = [
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
])('%s means %s', (answer, letter) => expect(extractChoice(answer, choices)).toEqual({ letter }));

test.each(['Z', "I can't process this file.", 'Cannot determine the answer.'])('%s names none', (answer) =>
  expect(extractChoice(answer, choices)).toBe('none'),
);

test.each([
  '',
  'a spider',
  'a rabbit and a cat',
  'A or B',
  'An image with many things on a large table in front of a window',
  `A long story of ${'many words '.repeat(10)}, and one rabbit`,
])('of %s the rules decide nothing', (answer) => expect(extractChoice(answer, choices)).toBeUndefined());

test('a letter that is no choice of the question is none', () => {
  expect(extractChoice('D', choices)).toBeUndefined();
  expect(extractChoice('The answer is D.', choices)).toBeUndefined();
});

const vehicleOrCat = [
  { letter: 'A', text: 'a red bus' },
  { letter: 'B', text: 'a cat' },
];
const benchmark = { writtenChoices: () => ({ question: 'What is it?', choices: vehicleOrCat }) };
const written = (id: string, text?: string) => ({
  question: { id, image: '/1.jpg' },
  choice: undefined,
  losses: [],
  text,
});

test('the rules place what they can; what they cannot, or none of the options, stays without a choice', async () => {
  const answers = [written('1', 'The answer is (B) a cat.'), written('2', 'Some animal'), written('3', 'Z')];
  const chosen = await chooseFromTexts(benchmark, answers);
  expect(chosen.map(({ choice }) => choice)).toEqual([1, undefined, undefined]);
  expect(chosen.map(({ lenientChoice }) => lenientChoice)).toEqual([1, undefined, undefined]);
});

test('only what the rules cannot place is settled otherwise, for the lenient choice alone', async () => {
  const asked: string[] = [];
  const answers = [written('1', 'Some animal'), written('2', '(B)'), written('3', 'Some vehicle'), written('4', 'Hm')];
  const chosen = await chooseFromTexts(benchmark, answers, async (unclear) => {
    asked.push(...unclear.map(({ answer }) => answer));
    return [{ letter: 'B' }, { letter: 'A' }, 'none'];
  });
  expect(asked).toEqual(['Some animal', 'Some vehicle', 'Hm']);
  expect(chosen.map(({ lenientChoice }) => lenientChoice)).toEqual([1, 1, 0, undefined]);
  expect(chosen.map(({ choice }) => choice)).toEqual([undefined, 1, undefined, undefined]);
});

test('a letter that the answer states, whatever follows, counts for the lenient choice alone', async () => {
  const [answer] = await chooseFromTexts(benchmark, [written('1', 'The answer is (B) be) A top, a cat of a red bus')]);
  expect(answer).toMatchObject({ choice: undefined, lenientChoice: 1 });
});

test('ranked answers keep their choice, also where the model wrote something beside', async () => {
  const ranked = { ...written('1', 'B'), choice: 0, losses: [1, 2] };
  expect(await chooseFromTexts(benchmark, [ranked])).toEqual([ranked]);
});

test('a question that was neither ranked nor answered is a fault', async () => {
  await expect(chooseFromTexts(benchmark, [written('7')])).rejects.toThrow('Question 7 has no written answer');
});
