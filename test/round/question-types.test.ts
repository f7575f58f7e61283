import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkQuestionTypes, knownQuestionTypes } from '../../src/round/question-types.ts';
import { question } from '../evaluation/questions.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

test("a question's own type comes first, then the classified file's; the rest are missing", () => {
  const questions = [
    question({ question_id: 'own', question_type: 'image_scene' }),
    question({ question_id: 'filed' }),
    question({ question_id: 'unknown' }),
  ];
  const classified = ['own', 'filed'].map((question_id) => question({ question_id, question_type: 'image_topic' }));
  const { types, missing } = knownQuestionTypes(questions, classified);
  expect(Object.fromEntries(types)).toEqual({ own: 'image_scene', filed: 'image_topic' });
  expect(missing.map(({ question_id }) => question_id)).toEqual(['unknown']);
});

test("the teacher's types are compared with the classified file, by type; without one there is nothing to compare", async () => {
  const folder = await temporaryFolder();
  const context = await tinyContext(await writeTinyRun(folder));
  // "What color is the image?" is attribute_recognition by its words; every second one is filed under image_scene.
  const outcome = await checkQuestionTypes(context);
  expect(outcome).toMatchObject({ questions: 8, share: 0.5 });
  expect(JSON.parse(await readFile(outcome.file, 'utf8'))).toMatchObject({
    byType: { attribute_recognition: { questions: 4, agreed: 4 }, image_scene: { questions: 4, agreed: 0 } },
    confusions: [{ reference: 'image_scene', found: 'attribute_recognition', questions: 4 }],
  });

  const file = join(folder, 'data', 'A-OKVQA', 'aokvqa_v1p0_val.json');
  const typed = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>[];
  const untyped = typed.map(({ question_type: _, ...question }) => question);
  await writeFile(file, JSON.stringify(untyped));
  await expect(checkQuestionTypes(context)).rejects.toMatchObject({ field: '[0].question_type' });
  await writeFile(file.replace('.json', '_classified.json'), JSON.stringify(typed));
  expect(await checkQuestionTypes(context)).toMatchObject({ questions: 8, share: 0.5 });
});
