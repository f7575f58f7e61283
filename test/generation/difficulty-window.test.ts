import { describe, expect, test } from 'vitest';
import { probabilityOfRight, rejectedByDifficulty } from '../../src/generation/difficulty-window.ts';

describe('the probability of the right choice', () => {
  test('is the softmax of minus the losses', () => {
    // math.exp(-0.5) / sum(math.exp(-loss) for loss in losses), in Python
    expect(probabilityOfRight([0.5, 1.5, 2, 0.1], 0)).toBeCloseTo(0.3243768243842951, 14);
    const all = [0, 1, 2, 3].map((correct) => probabilityOfRight([0.5, 1.5, 2, 0.1], correct));
    expect(all.reduce((sum, one) => sum + one, 0)).toBeCloseTo(1, 12);
  });

  test('is one of the number of choices where the model knows nothing', () => {
    expect(probabilityOfRight([3, 3, 3, 3, 3], 2)).toBeCloseTo(0.2, 12);
  });

  test('is 0 or 1 where losses are far apart, and never more', () => {
    expect(probabilityOfRight([0, 5000], 0)).toBe(1);
    expect(probabilityOfRight([0, 5000], 1)).toBe(0);
  });

  test('is not that of a choice that is not there', () => {
    expect(() => probabilityOfRight([1, 2], 2)).toThrow('There is no choice 2 among 2');
  });
});

describe('samples in the window', () => {
  const window = { from: 0.3, to: 0.8 };
  const reasons = (probabilities: number[], most: number, seed = 1) =>
    rejectedByDifficulty(probabilities, { window, most, seed }).map((rejection) => rejection?.reason);

  test('are kept, its limits included, and others rejected with the limit that they are beyond', () => {
    expect(reasons([0.3, 0.8, 0.299, 0.801], 9)).toEqual([undefined, undefined, 'too_hard', 'too_easy']);
    const [hard, easy] = rejectedByDifficulty([0.02, 0.9736], { window, most: 9, seed: 1 });
    expect(hard?.detail).toBe(
      'the model chooses the right choice with probability 0.020; sampling.difficulty.from is 0.3',
    );
    expect(easy?.detail).toBe(
      'the model chooses the right choice with probability 0.974; sampling.difficulty.to is 0.8',
    );
  });

  test('are drawn by the seed where there are too many, and no other takes the place of a missing one', () => {
    const many = Array.from({ length: 40 }, (_, index) => (index % 4 === 0 ? 0.95 : 0.5));
    const drawn = reasons(many, 10);
    expect(drawn.filter((reason) => reason === undefined)).toHaveLength(10);
    expect(drawn.filter((reason) => reason === 'too_easy')).toHaveLength(10);
    expect(drawn.filter((reason) => reason === 'more_than_requested')).toHaveLength(20);
    expect(reasons(many, 10)).toEqual(drawn);
    expect(reasons(many, 10, 2)).not.toEqual(drawn);
    expect(reasons(many, 35).filter((reason) => reason === undefined)).toHaveLength(30);
  });

  test('may be none', () => {
    expect(reasons([], 5)).toEqual([]);
    expect(reasons([0.1, 0.99], 5)).toEqual(['too_hard', 'too_easy']);
  });
});
