import { expect, test } from 'vitest';
import { readWeights } from '../../src/evaluation/records.ts';
import { dampWeights, errorWeights } from '../../src/evaluation/weights.ts';
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

const results = (wrong: Record<string, number>) =>
  Object.fromEntries(Object.entries(wrong).map(([type, count]) => [type, { asked: 10, wrong: count }]));
const before = results({ color: 8, count: 4, shape: 2 });

test('the type that a failed round drew most is halved, others by their share of its draws', () => {
  const attempt = { requestsByType: { color: 40, count: 20 }, before, after: before };
  expect(dampWeights({ color: 0.8, count: 0.4, shape: 0.2 }, [attempt])).toEqual({
    color: 0.4,
    count: 0.3,
    shape: 0.2,
  });
});

test('a type whose questions got better keeps its weight', () => {
  const attempt = {
    requestsByType: { color: 40, count: 40 },
    before,
    after: results({ color: 6, count: 9, shape: 9 }),
  };
  expect(dampWeights({ color: 0.8, count: 0.4, shape: 0.2 }, [attempt])).toEqual({
    color: 0.8,
    count: 0.2,
    shape: 0.2,
  });
});

test('each further failure counts, and no weight becomes 0', () => {
  const attempt = { requestsByType: { color: 40 }, before, after: before };
  expect(dampWeights({ color: 0.8 }, [attempt, attempt, attempt])).toEqual({ color: 0.1 });
  expect(dampWeights({ color: 0.8 }, [])).toEqual({ color: 0.8 });
});
