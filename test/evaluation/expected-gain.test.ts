import { describe, expect, test } from 'vitest';
import { countByType, expectedGain, type TypeResults } from '../../src/evaluation/expected-gain.ts';

const results = (counts: Record<string, [wrong: number, asked: number]>): TypeResults =>
  Object.fromEntries(Object.entries(counts).map(([type, [wrong, asked]]) => [type, { wrong, asked }]));

test('an evaluation is counted by type', () => {
  const record = (question_type: string, model_choice_idx: number) => ({
    question_type,
    model_choice_idx,
    choices: ['red', 'blue', 'green', 'gray'],
    correct_choice_idx: 0,
  });
  expect(countByType([record('a', 0), record('a', 1), record('b', 2)])).toEqual(results({ a: [1, 2], b: [1, 1] }));
});

describe('before any samples', () => {
  const gains = expectedGain({
    results: [results({ common: [120, 300], hard: [180, 200], easy: [10, 200], rare: [3, 4] })],
    samplesAdded: [],
  });

  test('a rare type is not taken for weak because three of its four questions went wrong', () => {
    const alike = expectedGain({
      results: [results({ common: [120, 300], hard: [110, 200], easy: [60, 200], rare: [3, 4] })],
      samplesAdded: [],
    });
    // 0.75 as counted; the other types lie around 0.41, within 0.1.
    expect(alike.rare?.error).toBeGreaterThan(0.41);
    expect(alike.rare?.error).toBeLessThan(alike.hard?.error ?? 0);
    expect(alike.hard?.error).toBeCloseTo(0.55, 1);
  });

  test('the wider types are apart, the more a few questions count', () => {
    expect(gains.rare?.error).toBeGreaterThan(0.6);
    expect(gains.rare?.error).toBeLessThan(0.75);
    expect(gains.hard?.error).toBeCloseTo(0.9, 1);
    expect(gains.easy?.error).toBeCloseTo(0.05, 1);
  });

  test('a type weighs as much as its questions and its error, and all learn alike', () => {
    expect(gains.hard?.weight).toBe(1);
    expect(gains.common?.weight).toBeCloseTo(120 / 180, 1);
    expect(gains.rare?.weight).toBeLessThan(0.05);
    expect(Object.values(gains).map(({ learning }) => learning)).toEqual([1, 1, 1, 1]);
  });
});

test('types whose errors differ by no more than chance are taken to be alike', () => {
  const gains = expectedGain({ results: [results({ a: [26, 100], b: [24, 100], c: [25, 100] })], samplesAdded: [] });
  expect(Object.values(gains).map(({ error }) => error)).toEqual([0.25, 0.25, 0.25]);
});

describe('after a round', () => {
  const before = results({ quick: [500, 1000], slow: [500, 1000], usual: [300, 1000], untried: [400, 1000] });
  const after = results({ quick: [250, 1000], slow: [490, 1000], usual: [220, 1000], untried: [400, 1000] });
  const gains = expectedGain({
    results: [before, after],
    samplesAdded: [{ quick: 100, slow: 100, usual: 100 }],
  });

  test('what its samples helped gets more, what they did not help gets less', () => {
    const { quick, slow, usual } = gains;
    expect(quick?.learning).toBeGreaterThan(usual?.learning ?? 0);
    expect(usual?.learning).toBeGreaterThan(slow?.learning ?? 0);
    expect(slow?.learning).toBeGreaterThanOrEqual(0.1);
  });

  test('what had no samples counts as the mean', () => {
    expect(gains.untried?.learning).toBe(1);
  });

  test('few questions prove little', () => {
    const few = (counts: Record<string, [number, number]>) => results({ ...counts, tiny: counts.tiny ?? [5, 10] });
    const withTiny = expectedGain({
      results: [few({ ...asCounts(before), tiny: [5, 10] }), few({ ...asCounts(after), tiny: [0, 10] })],
      samplesAdded: [{ quick: 100, slow: 100, usual: 100, tiny: 100 }],
    });
    expect(withTiny.tiny?.learning).toBeLessThan(withTiny.quick?.learning ?? 0);
  });
});

test('when nothing has helped, no type is preferred for it', () => {
  const worse = expectedGain({
    results: [results({ a: [10, 100], b: [20, 100] }), results({ a: [20, 100], b: [40, 100] })],
    samplesAdded: [{ a: 10, b: 10 }],
  });
  expect(Object.values(worse).map(({ learning }) => learning)).toEqual([1, 1]);
});

test('a model without errors has no weights', () => {
  const gains = expectedGain({ results: [results({ a: [0, 10] })], samplesAdded: [] });
  expect(gains.a).toMatchObject({ error: 0, weight: 0 });
});

function asCounts(counted: TypeResults): Record<string, [number, number]> {
  return Object.fromEntries(Object.entries(counted).map(([type, { wrong, asked }]) => [type, [wrong, asked]]));
}
