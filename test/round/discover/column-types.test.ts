import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { columnTypesFile } from '../../../src/round/discover/column-types.ts';
import { questionTypesFile } from '../../../src/round/discover/type-lists.ts';
import { prepareData } from '../../../src/round/prepare-data/prepare-data.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from '../tiny-run.ts';

async function columnRun() {
  const folder = await temporaryFolder();
  const context = await tinyContext(
    await writeTinyRun(folder, (tiny) => ({
      ...tiny,
      questionTypes: { source: 'column' },
      data: { ...tiny.data, questionTypes: join(folder, 'no-such.yaml') },
    })),
  );
  const questions = join(folder, 'data', 'A-OKVQA', 'aokvqa_v1p0_val.json');
  const changeTypes = async (change: (type: string, index: number) => string | undefined) => {
    const records = JSON.parse(await readFile(questions, 'utf8'));
    const changed = records.map((record: { question_type: string }, index: number) => ({
      ...record,
      question_type: change(record.question_type, index),
    }));
    await writeFile(questions, JSON.stringify(changed));
  };
  return { context, questions, changeTypes };
}

test("the list is that of the questions' own types, explained by examples, and stays as a person edits it", async () => {
  const { context } = await columnRun();
  await prepareData(context);
  const file = await questionTypesFile(context.config, context.run, 1);
  const list = parse(await readFile(file, 'utf8'));
  const explanation = 'Questions such as "What color is the image?".';
  expect(list).toEqual([
    { name: 'attribute_recognition', title: 'attribute recognition', explanation },
    { name: 'image_scene', title: 'image scene', explanation },
  ]);
  const edited = stringify([{ ...list[0], explanation: 'Name a color.' }, list[1]]);
  await writeFile(file, edited);
  expect(await columnTypesFile(context.config, context.run)).toBe(file);
  expect(await readFile(file, 'utf8')).toBe(edited);
});

test('a type that the list lacks, one that is no name, and a column without types are refused by file and field', async () => {
  const { context, questions, changeTypes } = await columnRun();
  const file = await columnTypesFile(context.config, context.run);
  await changeTypes((type, index) => (index === 0 ? 'counting' : type));
  await expect(prepareData(context)).rejects.toMatchObject({ file, message: expect.stringContaining('counting') });
  await rm(file);
  await columnTypesFile(context.config, context.run);
  await changeTypes((type, index) => (index === 0 ? 'Image Scene' : type));
  await expect(prepareData(context)).rejects.toMatchObject({ file: questions, field: 'question_type' });
  await changeTypes(() => undefined);
  await expect(prepareData(context)).rejects.toMatchObject({ file: questions, field: 'question_type' });
});
