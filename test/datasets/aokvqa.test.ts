import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/input-error.ts';
import { aokvqaTrain, readAokvqa } from '../../src/datasets/aokvqa.ts';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import { noSharedFiles, sharedFile } from '../helpers/shared-files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const question = (changes: object = {}) => ({
  split: 'val',
  image_id: 461751,
  question_id: '22jbM6gDxdaMaunuzgrsBB',
  question: "What is in the motorcyclist's mouth?",
  choices: ['toothpick', 'food', 'popsicle stick', 'cigarette'],
  correct_choice_idx: 3,
  direct_answers: ['cigarette'],
  difficult_direct_answer: false,
  rationales: ["He's smoking while riding."],
  ...changes,
});

async function questionFile(content: string | object[]): Promise<string> {
  const file = join(await temporaryFolder(), 'aokvqa_v1p0_val.json');
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

describe('readAokvqa', () => {
  it("reads A-OKVQA's records, with or without a question type", async () => {
    const records = [question(), question({ question_id: 'other', question_type: 'attribute_recognition' })];
    expect(await readAokvqa(await questionFile(records))).toEqual(records);
  });

  it('reads bugs/16-small/bom.json, which starts with a byte order mark', async () => {
    expect(await readAokvqa('test/fixtures/bugs/16-small/bom.json')).toHaveLength(3);
  });

  it('refuses aokvqa_test_split.json, which has no answers', async () => {
    await expect(readAokvqa('test/fixtures/fidelity/aokvqa_test_split.json')).rejects.toMatchObject({
      name: 'InputError',
      problem: 'has no answers',
    });
  });

  it('names a field that a record with answers lacks', async () => {
    const file = await questionFile([question(), question({ question_id: 'other', direct_answers: undefined })]);
    await expect(readAokvqa(file)).rejects.toMatchObject({ field: '[1].direct_answers', problem: 'is missing' });
  });

  it.each(['aokvqa_no_split.json', 'aokvqa_as_extending_md.json'])('reads %s', async (name) => {
    const questions = await readAokvqa(new URL(`../fixtures/fidelity/${name}`, import.meta.url).pathname);
    expect(questions).toMatchObject([
      { question_id: '22jbM6gDxdaMaunuzgrsBB', difficult_direct_answer: false },
      { question_id: '2Aq5RiEn7eyfWjEbpuYT2o', difficult_direct_answer: false },
    ]);
  });

  it('takes questions of three choices', async () => {
    const records = [question({ choices: ['a', 'b', 'c'], correct_choice_idx: 2 })];
    expect(await readAokvqa(await questionFile(records))).toEqual(records);
  });

  it('reads the whole official validation split', async (context) => {
    const file = sharedFile('aokvqa/aokvqa_v1p0_val.json') ?? context.skip(noSharedFiles);
    const questions = await readAokvqa(file);
    expect(questions).toHaveLength(1145);
    expect(questions.every(({ direct_answers }) => direct_answers.length === 10)).toBe(true);
  });

  it.each([
    [
      'a correct choice out of range',
      [question(), question({ question_id: 'b', correct_choice_idx: 4 })],
      '[1].correct_choice_idx',
      /is 4, but the choices are 0 to 3/,
    ],
    ['a correct choice below zero', [question({ correct_choice_idx: -1 })], '[0].correct_choice_idx', /is -1/],
    ['choices that are no list', [question({ choices: 'a, b, c' })], '[0].choices', /must be a list, not a text/],
    [
      'more choices than letters',
      [question({ choices: [...'abcdefgh'] })],
      '[0].choices',
      /must have at most 7 entries/,
    ],
    ['no direct answers', [question({ direct_answers: undefined })], '[0].direct_answers', /is missing/],
    ['a missing question', [question({ question: undefined })], '[0].question', /is missing/],
    ['an id used twice', [question(), question()], '[1].question_id', /is also the id of \[0\]/],
  ])('names the field of %s', async (_, records, field, problem) => {
    const file = await questionFile(records);
    const error = await readAokvqa(file).catch((error: unknown) => error as InputError);
    expect(error).toBeInstanceOf(InputError);
    expect(error).toMatchObject({ file, field, message: expect.stringMatching(problem) });
  });

  it('names the line of broken JSON', async () => {
    const file = await questionFile(`[\n  {"split": "val"},\n  {"split": }\n]\n`);
    await expect(readAokvqa(file)).rejects.toThrow(`${file}:3:`);
  });

  it('names a missing file', async () => {
    await expect(readAokvqa('/nowhere/aokvqa.json')).rejects.toThrow('/nowhere/aokvqa.json: no such file');
  });
});

describe('as training data', () => {
  it('needs no more fields than the reference system reads, and leaves out the same questions', async () => {
    const { image_id, question: text, choices, correct_choice_idx, rationales } = question();
    const least = { image_id, question: text, choices, correct_choice_idx, rationales };
    const path = await questionFile([
      { ...least, choices: ['toothpick', 'food', '', 'cigarette'] },
      { ...least, rationales: ['By the description.'] },
      { ...least, rationales: ['Short.', 'A longer description.'] },
    ]);
    const reasons: string[] = [];
    const records = [];
    const source = { name: 'aokvqa', path, images: imageFolder('/images') };
    for await (const record of aokvqaTrain.read(source, (reason) => reasons.push(reason))) records.push(record);
    expect(records).toMatchObject([{ id: 'aokvqa-2', question: text, choices }]);
    expect(reasons).toEqual(['a choice is empty', 'the explanation mentions a description']);
  });
});
