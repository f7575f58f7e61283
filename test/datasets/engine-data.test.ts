import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeJson } from '../../src/core/write-file.ts';
import { gptvqa, readEngineData } from '../../src/datasets/engine-data.ts';
import { imageFolder } from '../../src/datasets/image-folder.ts';
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

describe('records of other data engines, taken and left out as by the reference system', () => {
  const fileOf = (name: string) => new URL(`../fixtures/fidelity/${name}`, import.meta.url).pathname;
  const boat = { image_id: 550113, question: 'What is likely to happen to the boat in the future?' };

  it.each([
    ['engine_3_choices.json', { choices: [/put down/, /check the time/, /put her handbag/], correct_choice_idx: 1 }],
    ['engine_no_raw_instructions.json', { raw_instructions: '', question_type: 'future_prediction' }],
    ['engine_as_formats_md.json', { raw_instructions: '', question_type: 'future_prediction' }],
    ['engine_no_question_type.json', { question_type: 'unclassified' }],
  ])('%s: both are taken', async (name, first) => {
    const reasons: string[] = [];
    const samples = await readEngineData(fileOf(name), (reason) => reasons.push(reason));
    const { choices = [], ...others } = first as { choices?: RegExp[] };
    expect(samples).toHaveLength(2);
    expect(samples).toMatchObject([{ image_id: 407348, ...others }, boat]);
    for (const [index, choice] of choices.entries()) expect(samples[0]?.choices[index]).toMatch(choice);
    expect(reasons).toEqual([]);
  });

  it.each([
    ['engine_empty_choice.json', 'a choice is empty'],
    ['engine_rationale_description.json', 'the explanation mentions a description'],
    ['engine_image_id_text.json', 'the image id is a text of digits'],
  ])('%s: the first is left out, because %s', async (name, reason) => {
    const reasons: string[] = [];
    expect(await readEngineData(fileOf(name), (one) => reasons.push(one))).toMatchObject([boat]);
    expect(reasons).toEqual([reason]);
  });

  it('takes the path of an image as its id', async () => {
    const file = join(await temporaryFolder(), 'data.json');
    await writeJson(file, [sample({ image_id: 'line 2/küche 山.png' }), sample({ image_id: '../secret.png' })]);
    await expect(readEngineData(file)).rejects.toThrow('[1].image_id: leads out of its folder');
    await writeJson(file, [sample({ image_id: 'line 2/küche 山.png' })]);
    expect(await readEngineData(file)).toMatchObject([{ image_id: 'line 2/küche 山.png' }]);
    const records = [];
    const source = { name: 'x', path: file, images: imageFolder('/images') };
    for await (const record of gptvqa.read(source)) records.push(record);
    expect(records).toMatchObject([{ image: '/images/line 2/küche 山.png' }]);
  });

  it('a dataset for training leaves out the same, and numbers the others by their places', async () => {
    const records = [];
    const source = {
      name: 'DataEngine_round1_data',
      path: fileOf('engine_empty_choice.json'),
      images: imageFolder('/images'),
    };
    for await (const record of gptvqa.read(source)) records.push(record);
    expect(records).toMatchObject([{ id: 'DataEngine_round1_data-1', image: '/images/000000550113.jpg' }]);
  });

  it.each([
    ['two', ['a', 'b']],
    ['five', ['a', 'b', 'c', 'd', 'e']],
    ['seven', ['a', 'b', 'c', 'd', 'e', 'f', 'g']],
  ])('may have %s choices', async (_, choices) => {
    const file = join(await temporaryFolder(), 'data.json');
    await writeJson(file, [sample({ choices, correct_choice_idx: 1 })]);
    expect(await readEngineData(file)).toMatchObject([{ choices }]);
  });

  it.each([
    ['eight choices, for which there are no letters', { choices: [...'abcdefgh'] }, 'choices'],
    ['no image id', { image_id: undefined }, 'image_id: is missing'],
    ['no explanation', { rationales: undefined }, 'rationales: is missing'],
  ])('names the field where the reference system fails: %s', async (_, changes, problem) => {
    const file = join(await temporaryFolder(), 'data.json');
    await writeJson(file, [sample(), sample(changes)]);
    await expect(readEngineData(file)).rejects.toThrow(`[1].${problem}`);
  });
});
