/** What is made of the experiment's lines, on made-up ones. */
import { describe, expect, test } from 'vitest';
import { describeResults, jsonOfResults } from '../../../bench/ablation/describe.ts';
import { type Arm, cellsOf, phaseOf, pilotArms } from '../../../bench/ablation/plan.ts';
import { seedsWanted, shareToReach, summarizeConfirmation, summarizePilot } from '../../../bench/ablation/summarize.ts';
import { madeUpLine, madeUpLines, pilotLines } from './made-up.ts';

describe('the pilot', () => {
  test('compares every arm with uniform by pairs of seeds, corrected by Holm', () => {
    const pilot = summarizePilot(pilotLines());
    expect(pilot.seeds).toBe(4);
    const highLoss = pilot.overUniform.find(({ arm }) => arm === 'highLoss');
    // t = 15.588 with 3 degrees of freedom, whose distribution is known in closed form
    expect(highLoss?.mean).toBeCloseTo(4.5, 12);
    expect(highLoss?.low).toBeCloseTo(4.5 - 3.182446305284263 * 0.28867513459481287, 8);
    expect(highLoss?.pValue).toBeCloseTo(0.0005736731093319847, 9);
    const holms = pilot.overUniform.map(({ holm }) => holm);
    for (const [index, { pValue }] of pilot.overUniform.entries()) expect(holms[index]).toBeGreaterThanOrEqual(pValue);
    expect(pilot.overUniform.map(({ arm }) => arm)).toEqual(pilotArms.filter((arm) => arm !== 'uniform'));
  });

  test('chooses the candidate that gained most, never a control', () => {
    const lines = pilotLines({ randomTypesNearImages: 99 });
    expect(summarizePilot(lines).best).toBe('highLoss');
  });

  test('chooses none before all its seeds are whole, and goes by whole seeds alone', () => {
    const lines = pilotLines();
    const missing = lines.filter(({ seed, arm }) => seed !== 4 || arm !== 'uniform');
    expect(summarizePilot(missing)).toMatchObject({ seeds: 3, best: undefined, seedsWanted: undefined });
    expect(summarizePilot([])).toMatchObject({ seeds: 0, best: undefined });
  });

  test('wants as many seeds as the spread of its candidates takes, from 8 to 16', () => {
    expect(seedsWanted([[4, 4, 4, 4]])).toBe(8);
    expect(seedsWanted([[0, 2, 4, 6]])).toBe(11);
    expect(seedsWanted([[-20, 0, 10, 30]])).toBe(16);
  });
});

describe('the confirmation', () => {
  const fresh = [11, 12, 13, 14, 15, 16, 17, 18];
  const confirm = (gain: number) =>
    madeUpLines('demo', fresh, 'highLoss', ({ seed, arm, share }) =>
      arm === 'highLoss'
        ? { whole: 70, half: 69, third: 64 }[share] + gain + (seed % 2)
        : { uniform: 70 + (seed % 3), noNewData: 60, sftDpo: 72 + gain }[arm as 'uniform' | 'noNewData' | 'sftDpo'],
    );

  test('is of the fresh seeds alone: no figure of the pilot gets into it', () => {
    const all = summarizeConfirmation([...pilotLines({ highLoss: 99 }), ...confirm(3)], 'demo', 'highLoss');
    expect(all).toEqual(summarizeConfirmation(confirm(3), 'demo', 'highLoss'));
    expect(all).toMatchObject({ seeds: 8, scores: { noNewData: 60, round0: 50 } });
    expect(all?.bestOverUniform).toMatchObject({ arm: 'highLoss' });
  });

  test('has an interval that a gain of nothing is within, and one of three points is not', () => {
    const none = summarizeConfirmation(confirm(0.5), 'demo', 'highLoss');
    expect(none?.bestOverUniform.low).toBeLessThan(0);
    const some = summarizeConfirmation(confirm(4), 'demo', 'highLoss');
    expect(some?.bestOverUniform.low).toBeGreaterThan(1.5);
  });

  test('compares preference pairs with the arm that they are added to, blind answers and what is forgotten too', () => {
    const lines = confirm(3).map((line) =>
      line.arm === 'sftDpo' ? { ...line, blind: 31 + (line.seed % 2), forgotten: 8 } : line,
    );
    const { pairs, scores } = summarizeConfirmation(lines, 'demo', 'highLoss') ?? {};
    expect(scores?.sftDpo).toBe(75);
    // Even seeds have 73, odd ones 74, against 75.
    expect(pairs?.score).toMatchObject({ arm: 'sftDpo', mean: 1.5 });
    expect(pairs?.blind.mean).toBeCloseTo(1.5, 12);
    expect(pairs?.forgotten).toMatchObject({ mean: -2, low: -2, high: -2 });
  });

  test('leaves out seeds that miss an arm', () => {
    const lines = confirm(3).filter(({ seed, arm }) => seed !== 18 || arm !== 'noNewData');
    expect(summarizeConfirmation(lines, 'demo', 'highLoss')?.seeds).toBe(7);
    expect(summarizeConfirmation(confirm(3), 'mild', 'highLoss')).toBeUndefined();
    expect(summarizeConfirmation(confirm(3), 'demo', undefined)).toBeUndefined();
  });

  test('says after how many of its tokens the score of uniform is reached', () => {
    // 60 without new data, 67.5 after a third and 72.5 after half of the tokens: 71 is 0.7 of the way between the two.
    const { tokensToUniform } = summarizeConfirmation(confirm(3), 'demo', 'highLoss') ?? {};
    expect(tokensToUniform).toBeCloseTo(1 / 3 + ((71 - 67.5) / (72.5 - 67.5)) * (1 / 2 - 1 / 3), 3);
    const unscored = confirm(3).filter(({ share }) => share !== 'half');
    expect(summarizeConfirmation(unscored, 'demo', 'highLoss')?.tokensToUniform).toBeUndefined();
  });
});

describe('the share of tokens after which a score is reached', () => {
  const points = [
    { tokens: 1.2, score: 74 },
    { tokens: 0, score: 60 },
    { tokens: 0.4, score: 70 },
  ];

  test('is on the line between two points', () => {
    expect(shareToReach(points, 65)).toBeCloseTo(0.2, 12);
    expect(shareToReach(points, 72)).toBeCloseTo(0.8, 12);
    expect(shareToReach(points, 70)).toBeCloseTo(0.4, 12);
  });

  test('is nothing where it is there without new data, and null where it is never reached', () => {
    expect(shareToReach(points, 59)).toBe(0);
    expect(shareToReach(points, 75)).toBeNull();
  });
});

describe('what is printed', () => {
  test('is the JSON line, of nothing too', () => {
    expect(JSON.parse(JSON.stringify(jsonOfResults([])))).toEqual({ bench: 'ablation', seeds: 0, pilotSeeds: 0 });
    expect(describeResults([]).join('')).toContain('No results yet');
  });

  test('has pilot and confirmation, each under its name', () => {
    const fresh = madeUpLines('demo', [11, 12], 'highLoss', ({ arm }) => (arm === 'highLoss' ? 75 : 70));
    const mild = madeUpLines('mild', [21, 22], 'highLoss', ({ arm, seed }) => (arm === 'highLoss' ? 71 + seed : 70));
    const lines = [...pilotLines(), ...fresh, ...mild];
    expect(jsonOfResults(lines)).toMatchObject({
      bench: 'ablation',
      tag: 'experiment-1',
      seeds: 2,
      pilotSeeds: 4,
      pilot: { uniform: 71.3, highLoss: 75.8 },
      confirm: { round0: 50, noNewData: 70, uniform: 70, best: 75, sftDpo: 70 },
      bestOverUniform: { arm: 'highLoss', mean: 5, low: 5, high: 5 },
      sftDpoOverBest: { arm: 'sftDpo', mean: -5, low: -5, high: -5 },
      blindRise: { mean: 0 },
      mild: { seeds: 2, bestOverUniform: { arm: 'highLoss' } },
    });
    const text = describeResults(lines).join('\n');
    expect(text).toContain('Pilot, 4 seeds (it chooses the arm, and claims nothing)');
    expect(text).toContain('chosen: highLoss, to be confirmed on 8 fresh seeds');
    expect(text).toContain('Confirmation in the world mild, 2 fresh seeds');
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });
});

test('the plan has every arm for the pilot, and three with parts of the requests for the confirmation', () => {
  expect(cellsOf('demo', 1, undefined).map(({ arm }) => arm)).toEqual(pilotArms);
  expect(pilotArms).not.toContain('sftDpo');
  const arms = (world: 'demo' | 'mild') => cellsOf(world, 11, 'adaptive').map(({ arm, share }) => `${arm} ${share}`);
  expect(arms('mild')).toEqual(['noNewData whole', 'uniform whole', 'adaptive whole']);
  expect(arms('demo')).toEqual([
    ...arms('mild'),
    ...['sftDpo whole', 'uniform third', 'adaptive third', 'uniform half', 'adaptive half'],
  ]);
  expect(() => cellsOf('demo', 11, undefined)).toThrow('the pilot has not chosen one yet');
  expect(() => cellsOf('mild', 1, undefined)).toThrow('The pilot is of the world demo alone');
  expect([1, 4, 11].map(phaseOf)).toEqual(['pilot', 'pilot', 'confirmation']);
  for (const seed of [0, 5, 10, 11.5]) expect(() => phaseOf(seed)).toThrow(`Seed ${seed} is neither`);
  const first: Arm | undefined = cellsOf('demo', 1, undefined)[0]?.arm;
  expect(first).toBe('noNewData');
  expect(madeUpLine(cellsOf('demo', 1, undefined)[0] as never, 50).arm).toBe('noNewData');
});
