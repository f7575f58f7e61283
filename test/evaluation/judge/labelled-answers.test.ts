import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readLabelledAnswers } from '../../../src/evaluation/judge/labelled-answers.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

async function written(name: string, content: string) {
  const file = join(await temporaryFolder(), name);
  await writeFile(file, content);
  return file;
}

test('JSON lines and tables hold the same', async () => {
  const lines = [
    { question: 'What?', references: ['a cup', 'cup'], answer: 'A mug', right: true },
    { question: 'How many?', references: 3, answer: 4, right: 0 },
  ];
  const wanted = [
    { question: 'What?', references: ['a cup', 'cup'], answer: 'A mug', isRight: true },
    { question: 'How many?', references: ['3'], answer: '4', isRight: false },
  ];
  expect(
    await readLabelledAnswers(await written('a.jsonl', lines.map((line) => JSON.stringify(line)).join('\n'))),
  ).toEqual(wanted);
  const table = 'question,references,answer,right\nWhat?,"[""a cup"", ""cup""]",A mug,Yes\nHow many?,3,4,wrong\n';
  expect(await readLabelledAnswers(await written('a.csv', table))).toEqual(wanted);
});

const fine = { question: 'What?', references: ['a'], answer: 'b', right: 1 };
test.each([
  [{ ...fine, right: 'maybe' }, /a\.jsonl:2: right: must be one of 1, true, yes, right, 0, false, no, wrong/],
  [{ ...fine, answer: ' ' }, /a\.jsonl:2: answer: is empty/],
  [{ ...fine, references: [] }, /a\.jsonl:2: references: has no right answer/],
  [{ ...fine, question: undefined }, /a\.jsonl:2: question: is missing/],
  [{ ...fine, references: { a: 1 } }, /a\.jsonl:2: references: must be a right answer or a list of them/],
])('what does not fit names row and column: %j', async (line, message) => {
  const file = await written('a.jsonl', `${JSON.stringify(fine)}\n${JSON.stringify(line)}\n`);
  await expect(readLabelledAnswers(file)).rejects.toThrow(message);
});

test('a file without rows is refused', async () => {
  await expect(readLabelledAnswers(await written('a.json', '[]'))).rejects.toThrow('has no labelled answers');
});
