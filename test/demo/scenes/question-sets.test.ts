import { describe, expect, test } from 'vitest';
import { drawImages } from '../../../demo/scenes/images.ts';
import { type BaseTypes, skewedQuestions } from '../../../demo/scenes/question-sets.ts';
import { QUESTION_TYPES } from '../../../demo/scenes/questions.ts';
import { countBy } from '../../../src/core/records.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';

/** The counts of the base data's types, as many images as the demo's are. */
function countsOf(types?: BaseTypes): Record<string, number> {
  const random = seededRandom(5).fork('scenes');
  const questions = skewedQuestions(drawImages(random.fork('train'), 960, 1), 3, random.fork('train questions'), types);
  return countBy(questions, ({ question_type }) => question_type);
}

describe('the base SFT questions', () => {
  test('are skewed where nothing is said: three types make up nine tenths', () => {
    const counts = Object.values(countsOf()).sort((left, right) => right - left);
    const all = counts.reduce((sum, count) => sum + count, 0);
    expect(counts.slice(0, 3).reduce((sum, count) => sum + count, 0) / all).toBeGreaterThan(0.85);
    expect(countsOf('skewed')).toEqual(countsOf());
  });

  test('of the mild world have every type, none three times as often as another', () => {
    const counts = countsOf('mild');
    expect(Object.keys(counts).sort()).toEqual([...QUESTION_TYPES].sort());
    expect(Math.max(...Object.values(counts)) / Math.min(...Object.values(counts))).toBeLessThanOrEqual(3);
  });
});
