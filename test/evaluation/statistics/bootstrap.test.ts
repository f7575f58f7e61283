import { describe, expect, test } from 'vitest';
import { bootstrapMean } from '../../../src/evaluation/statistics/bootstrap.ts';
import { peers } from './peers.ts';

const scores = (right: number, wrong: number) => [...Array(right).fill(1), ...Array(wrong).fill(0)] as number[];

test('the interval is near the one that theory gives for a share', () => {
  // 300 of 400: 0.75 ± 1.96 · √(0.75 · 0.25 / 400)
  const { value, low, high } = bootstrapMean(scores(300, 100), { samples: 4000, seed: 1 });
  expect(value).toBe(0.75);
  expect(low).toBeCloseTo(0.7076, 2);
  expect(high).toBeCloseTo(0.7924, 2);
});

test('the same seed gives the same interval, another one a slightly other', () => {
  const of = (seed: number) => bootstrapMean([0, 1 / 3, 2 / 3, 1, 1, 0.2], { samples: 500, seed });
  expect(of(1)).toEqual(of(1));
  expect(of(1)).not.toEqual(of(2));
});

test('a hundred times the questions make it ten times as narrow', () => {
  const width = (times: number) => {
    const { low, high } = bootstrapMean(scores(6 * times, 4 * times), { samples: 2000, seed: 3 });
    return high - low;
  };
  expect(width(10) / width(1000)).toBeCloseTo(10, -1);
});

test('equal scores have no width, no scores are 0', () => {
  expect(bootstrapMean([1, 1], { samples: 100, seed: 1 })).toEqual({ value: 1, low: 1, high: 1 });
  expect(bootstrapMean([], { samples: 100, seed: 1 })).toEqual({ value: 0, low: 0, high: 0 });
});

describe('questions about one image', () => {
  test.each(peers.clustered)('the interval is as wide as statsmodels’ cluster-robust error says', (peer) => {
    const { low, high } = bootstrapMean(peer.scores, { samples: 4000, seed: 5 }, peer.images);
    const deviation = (high - low) / (2 * 1.96);
    expect(deviation / peer.statsmodels).toBeGreaterThan(0.9);
    expect(deviation / peer.statsmodels).toBeLessThan(1.1);
    expect(deviation).toBeGreaterThan(1.2 * peer.independent);
    // Its formula keeps the sample variance's n - 1.
    expect(peer.lmms_eval / peer.statsmodels).toBeCloseTo(1, 2);
  });

  test('an image a question changes nothing, to the last bit', () => {
    const values = [0, 1, 1, 0, 1, 1, 0, 0.5];
    const settings = { samples: 500, seed: 7 };
    expect(bootstrapMean(values, settings, [...values.keys()])).toEqual(bootstrapMean(values, settings));
  });

  test('several questions an image that are all alike are worth one', () => {
    const values = Array.from({ length: 200 }, (_, index) => (index % 3 === 0 ? 0 : 1));
    const alone = bootstrapMean(values, { samples: 2000, seed: 1 });
    const fourTimes = bootstrapMean(
      values.flatMap((value) => [value, value, value, value]),
      { samples: 2000, seed: 1 },
      values.flatMap((_, index) => [index, index, index, index]),
    );
    expect(fourTimes.high - fourTimes.low).toBeCloseTo(alone.high - alone.low, 1);
  });
});
