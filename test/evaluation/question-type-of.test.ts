import { expect, test } from 'vitest';
import { knownQuestionTypes } from '../../src/evaluation/question-type-of.ts';
import { question } from './questions.ts';

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
