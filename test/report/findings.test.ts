import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type Answered, compareRounds } from '../../src/evaluation/round-comparison.ts';
import { type FindingKind, findingKinds, findings } from '../../src/report/findings.ts';
import type { ReportRound } from '../../src/report/report-input.ts';
import { emptyRound } from './empty-round.ts';

const level = 0.05;
const settings = { level, tolerance: 0, typeTolerance: 0.05, typeTolerances: {} };

/** Type → its questions, how many of them are right in round 0, how many in the last round, and requests for it. */
type World = Record<string, [questions: number, before: number, now: number, sampled: number]>;

const world: World = {
  color: [40, 32, 36, 20],
  count: [40, 16, 28, 60],
  place: [40, 16, 12, 95],
  shape: [40, 20, 20, 90],
  glare: [2, 1, 1, 0],
  haze: [3, 1, 1, 0],
};

function answers(right: (type: string) => number): Answered[] {
  return Object.entries(world).flatMap(([type, [questions]]) =>
    Array.from({ length: questions }, (_, index) => ({
      question_id: `${type}-${index}`,
      question_type: type,
      choices: ['a', 'b'],
      correct_choice_idx: 0,
      model_choice_idx: index < right(type) ? 0 : 1,
    })),
  );
}

function roundOf(round: number, place: 1 | 2, more: Partial<ReportRound> = {}): ReportRound {
  const errors = Object.entries(world).map(([type, one]) => [type, 1 - one[place] / one[0]]);
  return { ...emptyRound, round, validation: { mc: 0.5, da: 0.5, errorByType: Object.fromEntries(errors) }, ...more };
}

const comparison = compareRounds(
  answers((type) => world[type]?.[1] ?? 0),
  answers((type) => world[type]?.[2] ?? 0),
  settings,
);

function runEndedBy(rule: string, reason: string): ReportRound[] {
  const sampledByType = Object.fromEntries(Object.entries(world).map(([type, [, , , sampled]]) => [type, sampled]));
  const gate = { builtOn: 0, accepted: true, by: 'test', reason: '', stop: { rule, reason } };
  return [roundOf(0, 1), roundOf(2, 2, { sampledByType, gate })];
}

const said = (rounds: ReportRound[]) => findings({ rounds, comparison, level });
const ofKind = (kind: FindingKind, rounds: ReportRound[]) =>
  said(rounds).flatMap((one) => (one.kind === kind ? [one.sentence] : []));

describe('what stands out in a run', () => {
  const ends = {
    budget: runEndedBy('budget', '200.10 of 200.00 USD are spent'),
    ended: runEndedBy('target', '80.1 % on the validation questions reach the target of 80 %'),
  };

  test.each(Object.keys(findingKinds) as FindingKind[])(
    'the sentence of the kind %s is the one that the docs have',
    (kind) => {
      const rounds = kind === 'ended' ? ends.ended : ends.budget;
      const example = findingKinds[kind].example;
      expect(ofKind(kind, rounds)).toContain(example);
    },
  );

  test('the docs list all kinds, with when they are said and an example', async () => {
    const page = await readFile('docs/report.md', 'utf8');
    for (const { title, when, example } of Object.values(findingKinds)) {
      expect(page).toContain(`| ${title} | ${when} | ${example} |`);
    }
  });

  test('a type without enough questions is neither best nor worst, and nothing is said of its change', () => {
    expect(said(ends.budget).filter(({ about }) => about === 'glare' || about === 'haze')).toEqual([]);
  });

  test('a loss that chance does not explain is not excused', () => {
    const lost = compareRounds(
      answers((type) => world[type]?.[0] ?? 0),
      answers((type) => (type === 'color' ? 10 : (world[type]?.[0] ?? 0))),
      settings,
    );
    const rounds = [
      { ...emptyRound, validation: { mc: 1, da: 1, errorByType: { color: 0, count: 0 } } },
      { ...emptyRound, round: 1, validation: { mc: 1, da: 1, errorByType: { color: 0.75, count: 0 } } },
    ];
    const sentences = findings({ rounds, comparison: lost, level }).map(({ sentence }) => sentence);
    expect(sentences).toContain('color got worse: 0.0 % → 75.0 % wrong (p < 0.001, 40 questions)');
  });

  test('of round 0 alone, best and worst are said', () => {
    expect(findings({ rounds: [roundOf(0, 1)], level }).map(({ sentence }) => sentence)).toEqual([
      'color is best: 20.0 % wrong',
      'haze is worst: 66.7 % wrong',
    ]);
    expect(findings({ rounds: [], level })).toEqual([]);
  });
});
