import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readOwnQuestions } from '../../src/datasets/own-questions.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function write(content: string): Promise<string> {
  const file = join(await temporaryFolder(), 'questions');
  await writeFile(file, content);
  return file;
}

async function readJson(...records: object[]) {
  return readOwnQuestions({ file: await write(JSON.stringify(records)) });
}

const open = { id: 'r-1', image: 'receipts/a b.jpg', question: 'What is the total?', answers: ['12.50', '12.5'] };
const choice = { id: 'r-2', image: 'ß/東.png', question: 'Which?', choices: ['cat', 'dog', 'cow'], answer: 'dog' };

test('choices and short answers in one file', async () => {
  expect(await readJson(open, { ...choice, question_type: 'animals' })).toEqual([
    { id: 'r-1', image: { path: 'receipts/a b.jpg' }, question: 'What is the total?', answers: ['12.50', '12.5'] },
    {
      id: 'r-2',
      image: { path: 'ß/東.png' },
      question: 'Which?',
      choices: choice.choices,
      correct: 1,
      type: 'animals',
    },
  ]);
});

test('a table has lists as JSON, choices by letter, and row numbers for ids', async () => {
  const file = await write(
    [
      'image,question,answer,A,B,C',
      'a.jpg,How many?,B,one,two,',
      'b.jpg,Which?,red,red,green,blue',
      'c.jpg,"Total, in euros?",12,,,',
      'd.jpg,Colors?,"[""red"", ""dark red""]",,,',
    ].join('\n'),
  );
  expect(await readOwnQuestions({ file })).toEqual([
    { id: '1', image: { path: 'a.jpg' }, question: 'How many?', choices: ['one', 'two'], correct: 1 },
    { id: '2', image: { path: 'b.jpg' }, question: 'Which?', choices: ['red', 'green', 'blue'], correct: 0 },
    { id: '3', image: { path: 'c.jpg' }, question: 'Total, in euros?', answers: ['12'] },
    { id: '4', image: { path: 'd.jpg' }, question: 'Colors?', answers: ['red', 'dark red'] },
  ]);
});

test('columns may have other names', async () => {
  const file = await write('key\tpicture\tprompt\tlabel\tkind\nx\ta.jpg\tWhat?\tcat\tnouns\n');
  const columns = { id: 'key', image: 'picture', question: 'prompt', answers: 'label', type: 'kind' };
  expect(await readOwnQuestions({ file, columns })).toEqual([
    { id: 'x', image: { path: 'a.jpg' }, question: 'What?', answers: ['cat'], type: 'nouns' },
  ]);
});

test("the right choice by its place, and why, as in A-OKVQA's columns", async () => {
  const { answer: _, ...columns } = choice;
  const rationales = ['It barks.'];
  const [read] = await readJson({ ...columns, correct_choice_idx: 1, rationales });
  expect(read).toMatchObject({ correct: 1, rationales });
  const file = await write('image,question,A,B,correct_choice_idx\na.jpg,Which?,cat,dog,1\n');
  expect(await readOwnQuestions({ file })).toMatchObject([{ choices: ['cat', 'dog'], correct: 1 }]);
});

test('26 choices, numbers as answers, and a limit', async () => {
  const choices = Array.from({ length: 26 }, (_, index) => index);
  const file = await write(JSON.stringify([{ ...choice, choices, answer: 'Z' }, { ...open, answers: 12 }, open]));
  expect(await readOwnQuestions({ file, limit: 2 })).toMatchObject([
    { choices: choices.map(String), correct: 25 },
    { answers: ['12'] },
  ]);
});

test.each([
  ['no image', [{ ...open, image: undefined }], '[0].image: is missing'],
  ['an image outside', [open, { ...choice, image: '../a.jpg' }], '[1].image: leads out of its folder'],
  ['an address', [{ ...open, image: 'https://host/a.jpg' }], '[0].image: is a https address: download the image'],
  ['a video', [{ ...open, video: 'a.mp4' }], '[0].video: video is not supported'],
  ['no question', [{ ...open, question: ' ' }], '[0].question: is empty'],
  ['no answer', [{ ...open, answers: undefined }], '[0].answers: is missing, and there are no choices'],
  ['an empty answer', [{ ...open, answers: [''] }], '[0].answers[0]: is empty'],
  ['one choice', [{ ...choice, choices: ['dog'] }], '[0].choices: must have at least two choices'],
  [
    '27 choices',
    [{ ...choice, choices: [...'abcdefghijklmnopqrstuvwxyz1'] }],
    '[0].choices: must have at most 26 choices',
  ],
  [
    'an answer that is no choice',
    [{ ...choice, answer: 'horse' }],
    "[0].answer: 'horse' is neither a choice nor the letter",
  ],
  ['a letter that no choice has', [{ ...choice, answer: 'D' }], "[0].answer: 'D' is neither a choice nor the letter"],
  [
    'words and letter of two',
    [{ ...choice, choices: ['B', 'A'], answer: 'A' }],
    "[0].answer: 'A' is the words of one choice and the letter of another",
  ],
  [
    'a place of no choice',
    [{ ...choice, answer: undefined, correct_choice_idx: 3 }],
    '[0].correct_choice_idx: is 3, but the choices are 0 to 2',
  ],
  [
    'a place that is none',
    [{ ...choice, answer: undefined, correct_choice_idx: 'dog' }],
    '[0].correct_choice_idx: must be the place of a choice, from 0',
  ],
  ['rationales that are none', [{ ...choice, rationales: 'because' }], '[0].rationales: must be a list of texts'],
  ['two right choices', [{ ...choice, answer: ['cat', 'dog'] }], '[0].answer: must be the one right choice'],
  ['an id that is there twice', [open, { ...choice, id: 'r-1' }], "[1].id: 'r-1' is also the id of row 1"],
  ['no records', [], 'has no questions'],
])('%s is named by row and column', async (_, records, problem) => {
  await expect(readJson(...records)).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringContaining(problem),
  });
});

test('a table names the line', async () => {
  const file = await write('id,image,question,answer\n1,a.jpg,What?,cat\n2,,What?,cat\n');
  await expect(readOwnQuestions({ file })).rejects.toMatchObject({ line: 3, field: 'image' });
});
