import { expect, test } from 'vitest';
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

test('a skip says why', () => {
  expect(asFourParts(JSON.stringify({ ...answer, skip_reason: 'too dark' }))).toBe('Skip: too dark');
});

test.each(['Question: what?', '{ not JSON', '{"question":"half"}'])('other text stays as it is: %s', (text) => {
  expect(asFourParts(text)).toBe(text);
});
