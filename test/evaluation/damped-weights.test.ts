import { expect, test } from 'vitest';
import { dampWeights } from '../../src/evaluation/damped-weights.ts';

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
