import { expect, test } from 'vitest';
import { readWeights } from '../../src/evaluation/records.ts';
import { errorWeights } from '../../src/evaluation/weights.ts';
import { noSharedFiles, sharedFile } from '../helpers/shared-files.ts';
import { evaluated } from './questions.ts';

test('a weight is wrong over asked, to three decimals, for types that were asked', () => {
  const right = { model_choice_idx: 0, question_type: 'image_scene' };
  const records = [evaluated(right), evaluated(right), evaluated({ question_type: 'image_scene' }), evaluated()];
  expect(errorWeights(records)).toEqual({ identity_reasoning: 1, image_scene: 0.333 });
});

test("the reference system's weight.json is read as it is", async (context) => {
  const file = sharedFile('seed/weight.json') ?? context.skip(noSharedFiles);
  const weights = await readWeights(file);
  expect(Object.keys(weights)).toHaveLength(18);
  expect(weights.social_relation).toBe(0.379);
});
