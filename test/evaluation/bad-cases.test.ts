import { expect, test } from 'vitest';
import {
  badCasePrompt,
  collectBadCases,
  errorWeights,
  readBadCases,
  readWeights,
} from '../../src/evaluation/bad-cases.ts';
import { noSharedFiles, sharedFile } from '../helpers/shared-files.ts';
import { evaluated } from './questions.ts';

test('a wrong answer becomes a bad case of its type, in the shape of the file', () => {
  expect(collectBadCases([evaluated()])).toEqual({
    identity_reasoning: [
      {
        idx: 'q1',
        question: 'What sport are they mimicking?',
        choices: ['baseball', 'lacrosse', 'cricket', 'basketball'],
        correct_choice_idx: 0,
        direct_answers: Array(10).fill('baseball'),
        difficult_direct_answer: false,
        model_answer: 'lacrosse',
        question_type: 'identity_reasoning',
        prompt:
          'Question: What sport are they mimicking?\n' +
          'Choices: (A) baseball (B) lacrosse (C) cricket (D) basketball\n' +
          'Answer: The answer is (A): baseball.\n' +
          'Question type: identity reasoning',
        image_path: 'val2017/000000370270.jpg',
        image_id: 370270,
      },
    ],
  });
});

test('a type with nothing wrong keeps an empty list', () => {
  const record = evaluated({ model_choice_idx: 0, question_type: 'image_scene' });
  expect(collectBadCases([record])).toEqual({ image_scene: [] });
});

test("the prompts of the reference system's bad cases are built letter for letter", async (context) => {
  const file = sharedFile('seed/bad_case_aokvqa_classified.json') ?? context.skip(noSharedFiles);
  const badCases = Object.values(await readBadCases(file)).flat();
  expect(badCases.length).toBeGreaterThan(0);
  for (const badCase of badCases) expect(badCasePrompt(badCase)).toBe(badCase.prompt);
});

test('a weight is wrong over asked, to three decimals, for types that were asked', () => {
  const right = { model_choice_idx: 0, question_type: 'image_scene' };
  const records = [evaluated(right), evaluated(right), evaluated({ question_type: 'image_scene' }), evaluated()];
  expect(errorWeights(records)).toEqual({ identity_reasoning: 1, image_scene: 0.333 });
});

test.each([
  [1, 16, 0.062],
  [3, 16, 0.188],
  [5, 16, 0.312],
  [13, 32, 0.406],
  [21, 48, 0.438],
  [1, 3, 0.333],
  [5, 8, 0.625],
])("a weight of %d of %d wrong is rounded as by Python's round: %d", (wrong, asked, weight) => {
  const records = Array.from({ length: asked }, (_, number) =>
    evaluated(
      number < wrong ? { question_type: 'image_scene' } : { model_choice_idx: 0, question_type: 'image_scene' },
    ),
  );
  expect(errorWeights(records)).toEqual({ image_scene: weight });
});

test("the reference system's weight.json is read as it is", async (context) => {
  const file = sharedFile('seed/weight.json') ?? context.skip(noSharedFiles);
  const weights = await readWeights(file);
  expect(Object.keys(weights)).toHaveLength(18);
  expect(weights.social_relation).toBe(0.379);
});
