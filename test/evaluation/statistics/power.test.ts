import { describe, expect, test } from 'vitest';
import { planQuestions } from '../../../src/evaluation/plan-power.ts';
import { normalQuantile, tCdf, tQuantile } from '../../../src/evaluation/statistics/distributions.ts';
import {
  approximateQuestions,
  designEffect,
  differenceFound,
  effectFound,
  powerOfQuestions,
  powerOfSeeds,
  questionsNeeded,
  seedsNeeded,
} from '../../../src/evaluation/statistics/power.ts';
import { peers, type Row } from './peers.ts';

const settings = { level: 0.05, power: 0.8 };

describe('distributions are SciPy’s', () => {
  test.each(peers.normal_quantile as Row[])('norm.ppf(%d)', (probability, wanted) => {
    expect(normalQuantile(probability)).toBeCloseTo(wanted, 8);
  });

  test.each(peers.t_quantile as Row[])('t.ppf(%d, %d)', (probability, degrees, wanted) => {
    expect(tQuantile(probability, degrees) / wanted).toBeCloseTo(1, 7);
    expect(tQuantile(1 - probability, degrees)).toBeCloseTo(-tQuantile(probability, degrees), 8);
  });

  test.each(peers.noncentral_t as Row[])('nct.cdf(%d, %d, %d)', (t, degrees, noncentrality, wanted) => {
    expect(tCdf(t, degrees, noncentrality)).toBeCloseTo(wanted, 8);
  });
});

describe('questions', () => {
  test.each(peers.mcnemar_power as Row[])(
    '%i questions, a difference of %d, a disagreement of %d, level %d: the exact power, summed by SciPy',
    (questions, difference, disagreement, level, wanted) => {
      expect(powerOfQuestions(questions, { difference, disagreement }, level)).toBeCloseTo(wanted, 8);
      expect(powerOfQuestions(questions, { difference: -difference, disagreement }, level)).toBeCloseTo(wanted, 8);
    },
  );

  test.each(peers.lmms_eval_questions as Row[])(
    'a difference of %d, a disagreement of %d, level %d, power %d: lmms-eval’s number, plus what the exact test costs',
    (difference, disagreement, level, power, wanted) => {
      const needed = questionsNeeded({ difference, disagreement }, { level, power });
      expect(needed / wanted).toBeGreaterThan(1);
      expect(needed / wanted).toBeLessThan(1.06);
      expect(approximateQuestions({ difference, disagreement }, { level, power }) / wanted).toBeCloseTo(1, 1);
    },
  );

  test('the number needed has the power, and one less has not', () => {
    const pairs = { difference: 0.04, disagreement: 0.12 };
    const needed = questionsNeeded(pairs, settings);
    expect(powerOfQuestions(needed, pairs, 0.05)).toBeGreaterThanOrEqual(0.8);
    expect(powerOfQuestions(needed - 1, pairs, 0.05)).toBeLessThan(0.8);
  });

  test('what is found has the power, and a hundredth of a point less has not', () => {
    const found = differenceFound(1145, 0.15, settings) as number;
    expect(powerOfQuestions(1145, { difference: found, disagreement: 0.15 }, 0.05)).toBeGreaterThanOrEqual(0.8);
    expect(powerOfQuestions(1145, { difference: found - 1e-4, disagreement: 0.15 }, 0.05)).toBeLessThan(0.8);
    expect(differenceFound(20, 0.1, settings)).toBeUndefined();
  });

  test('exact power and its approximation meet where one takes over from the other', () => {
    const pairs = { difference: 0.004, disagreement: 0.2 };
    const [exact, approximate] = [99_999, 100_001].map((questions) => powerOfQuestions(questions, pairs, 0.05));
    expect(Math.abs((exact as number) - (approximate as number))).toBeLessThan(0.004);
  });

  test('several benchmarks are tested at Holm’s strictest level, and questions about one image count less', () => {
    const one = { disagreement: 0.15, rightOrWrong: true, designEffect: 1, questions: 1000 };
    const [alone] = planQuestions([one], 0.03, settings);
    const [amongTwelve] = planQuestions([one], 0.03, settings, 12);
    const [clustered] = planQuestions([{ ...one, designEffect: designEffect(3, 0.5) }], 0.03, settings);
    expect(amongTwelve).toMatchObject({ level: 0.05 / 12 });
    expect(amongTwelve?.needed).toBeGreaterThan(1.5 * (alone?.needed ?? 0));
    expect(clustered?.needed).toBe(2 * (alone?.needed ?? 0));
    expect(clustered?.powerAtHand).toBeLessThan(alone?.powerAtHand ?? 0);
  });

  test('models can’t differ by more than they disagree', () => {
    expect(() => questionsNeeded({ difference: 0.2, disagreement: 0.1 }, settings)).toThrow(RangeError);
  });
});

describe('seeds', () => {
  test.each(peers.seeds as Row[])('an effect of %d, level %d, power %d', (effect, level, power, wanted) => {
    expect(seedsNeeded(effect, { level, power })).toBe(wanted);
  });

  test.each(peers.seed_power as Row[])('%i seeds, an effect of %d', (seeds, effect, wanted) => {
    expect(powerOfSeeds(seeds, effect, 0.05)).toBeCloseTo(wanted, 7);
  });

  test('three seeds find a difference of more than three standard deviations', () => {
    const found = effectFound(3, settings) as number;
    expect(powerOfSeeds(3, found, 0.05)).toBeCloseTo(0.8, 5);
    expect(found).toBeGreaterThan(3);
    expect(seedsNeeded(1e-4, settings)).toBeUndefined();
  });
});
