import { expect, test } from 'vitest';
import { chooseFromTexts } from '../../src/evaluation/choose-from-texts.ts';

const options = [
  { letter: 'A', text: 'a red bus' },
  { letter: 'B', text: 'a cat' },
];
const benchmark = { options: () => ({ question: 'What is it?', options }) };
const written = (id: string, text?: string) => ({
  question: { id, image: '/1.jpg' },
  choice: undefined,
  losses: [],
  text,
});

test('the rules place what they can; what they cannot, or none of the options, stays without a choice', async () => {
  const answers = [written('1', 'The answer is (B) a cat.'), written('2', 'Some animal'), written('3', 'Z')];
  expect((await chooseFromTexts(benchmark, answers)).map(({ choice }) => choice)).toEqual([1, undefined, undefined]);
});

test('only what the rules cannot place is settled otherwise', async () => {
  const asked: string[] = [];
  const answers = [written('1', 'Some animal'), written('2', '(B)'), written('3', 'Some vehicle'), written('4', 'Hm')];
  const chosen = await chooseFromTexts(benchmark, answers, async (unclear) => {
    asked.push(...unclear.map(({ answer }) => answer));
    return [{ letter: 'B' }, { letter: 'A' }, 'none'];
  });
  expect(asked).toEqual(['Some animal', 'Some vehicle', 'Hm']);
  expect(chosen.map(({ choice }) => choice)).toEqual([1, 1, 0, undefined]);
});

test('ranked answers keep their choice, also where the model wrote something beside', async () => {
  const ranked = { ...written('1', 'B'), choice: 0, losses: [1, 2] };
  expect(await chooseFromTexts(benchmark, [ranked])).toEqual([ranked]);
});

test('a question that was neither ranked nor answered is a fault', async () => {
  await expect(chooseFromTexts(benchmark, [written('7')])).rejects.toThrow('Question 7 has no written answer');
});
