import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { question } from '../evaluation/questions.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { printedBy } from './in-this-process.ts';

async function score(predictions: object, ...options: string[]): Promise<string> {
  const folder = await temporaryFolder();
  const questions = ['a', 'b'].map((question_id) => question({ question_id }));
  await writeFile(join(folder, 'questions.json'), JSON.stringify(questions));
  await writeFile(join(folder, 'predictions.json'), JSON.stringify(predictions));
  const files = [join(folder, 'predictions.json'), '--questions', join(folder, 'questions.json')];
  return printedBy('score', ...files, ...options);
}

const predictions = { a: { multiple_choice: 'baseball' }, elsewhere: { multiple_choice: 'cricket' } };

test('a file of predictions is scored, as JSON', async () => {
  expect(JSON.parse(await score(predictions, '--json'))).toEqual({
    multipleChoice: 50,
    questions: 2,
    predicted: 1,
    unknown: 1,
  });
});

test('or as a table that names questions without a prediction, and predictions without a question', async () => {
  const table = await score(predictions);
  expect(table).toContain('1 of 2 questions have a prediction');
  expect(table).toContain('1 predictions are for questions that are not in the file');
  expect(table).toMatch(/multipleChoice\s*│\s*50\.00/);
  expect(table).toMatch(/directAnswer\s*│\s*–/);
});

test.each([{}, { a: {} }])('a file without predictions is refused: %j', async (nothing) => {
  await expect(score(nothing)).rejects.toMatchObject({ name: 'InputError', problem: 'has no predictions' });
});
