import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readWeights } from '../../src/evaluation/bad-cases.ts';
import { findQuestionType, readQuestionTypes } from '../../src/generation/question-types.ts';
import { noSharedFiles, sharedFile } from '../helpers/shared-files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const ours = 'configs/question-types.yaml';

async function readText(text: string) {
  const file = join(await temporaryFolder(), 'types.yaml');
  await writeFile(file, text);
  return readQuestionTypes(file);
}

test('there are 18 question types, each with a title and an explanation', async () => {
  const types = await readQuestionTypes(ours);
  expect(types).toHaveLength(18);
  expect(types.every(({ explanation }) => explanation.length > 40 && !explanation.includes('\n'))).toBe(true);
});

test("a title is the name with blanks, as it stands in a bad case's prompt", async () => {
  for (const { name, title } of await readQuestionTypes(ours)) expect(title).toBe(name.replaceAll('_', ' '));
});

test("the names are those of the reference system's weights", async (context) => {
  const weights = await readWeights(sharedFile('seed/weight.json') ?? context.skip(noSharedFiles));
  const types = await readQuestionTypes(ours);
  expect(types.map(({ name }) => name).sort()).toEqual(Object.keys(weights).sort());
});

test('a type is found by its name, and an unknown one is an error that lists the known', async () => {
  const types = await readQuestionTypes(ours);
  expect(findQuestionType(types, 'image_scene').title).toBe('image scene');
  expect(() => findQuestionType(types, 'scene')).toThrow(/scene; known are identity_reasoning/);
});

test.each([
  ['a missing explanation', '- name: a\n  title: A', /types\.yaml: \[0\]\.explanation/],
  ['a name twice', '- &a {name: a, title: A, explanation: a}\n- *a', /\[1\]\.name: a is there twice/],
  ['an unknown key', '- {name: a, title: A, explanation: a, weight: 1}', /weight/],
  ['broken YAML', '- name: a\n  title: "A', /types\.yaml:\d/],
  ['an empty list', '[]', /types\.yaml/],
])('%s is an error that names its place', async (_, text, message) => {
  await expect(readText(text)).rejects.toThrow(message);
});
