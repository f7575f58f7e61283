import { expect, test } from 'vitest';
import { filterRawAnswer } from '../../src/generation/filters.ts';
import { asFourParts, parseAnswer } from '../../src/generation/parse-answer.ts';

const answer = {
  skip_reason: null,
  question: 'What is on the door?',
  choices: ['a cat', 'a dog', 'a key', 'a sign'],
  answer: 'B',
  explanation: 'A dog sits on it.',
};

test('a structured answer is parsed as a text answer is', () => {
  expect(parseAnswer(asFourParts(JSON.stringify(answer)))).toMatchObject({
    question: answer.question,
    choices: answer.choices,
    correctChoiceIndex: 1,
    explanation: 'Explanations: A dog sits on it.',
  });
});

test.each([
  [2, 'B', 1],
  [5, 'E', 4],
])('a structured answer may have %i choices', (count, letter, correctChoiceIndex) => {
  const choices = ['a cat', 'a dog', 'a key', 'a sign', 'a bell'].slice(0, count);
  const parsed = parseAnswer(asFourParts(JSON.stringify({ ...answer, choices, answer: letter })));
  expect(parsed).toMatchObject({ choices, correctChoiceIndex });
});

test('one with more choices than letters is rejected as any with too many', () => {
  const choices = Array.from({ length: 30 }, (_, index) => `thing ${index}`);
  expect(parseAnswer(asFourParts(JSON.stringify({ ...answer, choices })))).toMatchObject({ reason: 'choice_count' });
});

test('a skip says why', () => {
  expect(asFourParts(JSON.stringify({ ...answer, skip_reason: 'too dark' }))).toBe('Skip: too dark');
});

test.each(['Question: what?', '{ not JSON', '{"question":"half"}'])('other text stays as it is: %s', (text) => {
  expect(asFourParts(text)).toBe(text);
});

test.each([null, undefined, '', 'null', 'None', 'N/A'])('a skip reason of %j is none', (skip_reason) => {
  expect(parseAnswer(asFourParts(JSON.stringify({ ...answer, skip_reason })))).toMatchObject({ correctChoiceIndex: 1 });
});

test('an object that does not fit is not taken for a skip because of the name of its key', () => {
  const text = asFourParts(JSON.stringify({ ...answer, choices: 'a cat, a dog' }));
  expect(filterRawAnswer(text)).toBeUndefined();
  expect(parseAnswer(text)).toMatchObject({ reason: 'missing_part' });
});

test.each([
  ['reasoning that never ends', '<think>Let me see. (A) is', ''],
  ['text about thinking', 'Question: what does <i>think</i> mean?', 'Question: what does <i>think</i> mean?'],
  ['a fence inside of a text', 'Question: what?\n```\ncode\n```\nAnswer: (A)', undefined],
])('%s', (_, text, read = text) => {
  expect(asFourParts(text)).toBe(read);
});
