import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeJson } from '../../src/core/write-file.ts';
import { readEngineData } from '../../src/datasets/engine-data.ts';
import { noSharedFiles, sharedFile } from '../helpers/shared-files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const sample = (changes: object = {}) => ({
  image_id: 407348,
  raw_instructions: 'Question: ...',
  question_type: 'future_prediction',
  question: 'What will happen next?',
  choices: ['a', 'b', 'c', 'd'],
  correct_choice_idx: 3,
  rationales: ['Explanations: because.'],
  ...changes,
});

it("reads the reference system's own generated samples, whole", async (context) => {
  const file = sharedFile('seed/gptvqa_train_data.json') ?? context.skip(noSharedFiles);
  const samples = await readEngineData(file);
  expect(samples).toEqual(JSON.parse(await readFile(file, 'utf8')));
  expect(samples.map(({ correct_choice_idx }) => correct_choice_idx)).toEqual([3, 0]);
});

it('reads what was written', async () => {
  const file = join(await temporaryFolder(), 'DataEngine_round1_data.json');
  await writeJson(file, [sample(), sample({ image_id: 1 })]);
  expect(await readEngineData(file)).toEqual([sample(), sample({ image_id: 1 })]);
});

it('names the field of a correct choice out of range', async () => {
  const file = join(await temporaryFolder(), 'data.json');
  await writeJson(file, [sample(), sample(), sample({ correct_choice_idx: 4 })]);
  await expect(readEngineData(file)).rejects.toThrow(
    `${file}: [2].correct_choice_idx: is 4, but the choices are 0 to 3`,
  );
});

it('names the line where a file was cut short', async () => {
  const file = join(await temporaryFolder(), 'data.json');
  await writeFile(file, JSON.stringify([sample()], null, 2).slice(0, 100));
  await expect(readEngineData(file)).rejects.toThrow(/data\.json:5:\d+: is not valid JSON/);
});
