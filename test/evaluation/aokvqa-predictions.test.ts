import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readAokvqaPredictions, scoreAokvqaPredictions } from '../../src/evaluation/aokvqa-predictions.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { question } from './questions.ts';

const ballGames = ['baseball', 'baseball', 'ball game', 'sport', 'sport', 'sport', 'sport', 'tennis', 'golf', 'bat'];
const questions = [
  question({ question_id: 'a', direct_answers: ballGames }),
  question({ question_id: 'b', direct_answers: ballGames, correct_choice_idx: 1 }),
  question({ question_id: 'c', direct_answers: ballGames, difficult_direct_answer: true }),
];
const both = (answer: string, direct = answer) => ({ multiple_choice: answer, direct_answer: direct });

test('direct answers leave out questions marked difficult, multiple choice does not', () => {
  const predictions = { a: both('baseball'), b: both('lacrosse', 'sport'), c: both('cricket', 'none') };
  const { multipleChoice, directAnswer } = scoreAokvqaPredictions(questions, predictions);
  expect(multipleChoice).toBeCloseTo(200 / 3, 10);
  expect(directAnswer).toBeCloseTo(((2 / 3 + 1) / 2) * 100, 10);
});

test('a question without a prediction is wrong', () => {
  const { multipleChoice, directAnswer } = scoreAokvqaPredictions(questions, { a: both('baseball', 'sport') });
  expect(multipleChoice).toBeCloseTo(100 / 3, 10);
  expect(directAnswer).toBe(50);
});

test('answers are compared letter by letter', () => {
  const predictions = { a: both('Baseball', 'Sport'), b: both('lacrosse ', 'sport ') };
  expect(scoreAokvqaPredictions(questions, predictions)).toEqual({ multipleChoice: 0, directAnswer: 0 });
});

test('a setting without any prediction has no score', () => {
  expect(scoreAokvqaPredictions(questions, { a: { direct_answer: 'sport' } })).toEqual({
    multipleChoice: undefined,
    directAnswer: 50,
  });
});

test('a file that is no file of predictions is refused', async () => {
  const file = join(await temporaryFolder(), 'predictions.json');
  await writeFile(file, '{"a": {"multiple_choice": 2}}');
  await expect(readAokvqaPredictions(file)).rejects.toMatchObject({ name: 'InputError', file });
});
