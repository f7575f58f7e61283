import { expect, test } from 'vitest';
import { benchmarkTable, withoutRepeatedScores } from '../../src/report/benchmark-tables.ts';
import { emptyRound } from './empty-round.ts';

const set = { set: 'mme', title: 'MME' };
const accuracy = { ...set, measure: 'accuracy', unanswered: 0, value: 0.5, low: 0.4, high: 0.6, count: 10, groups: {} };

test('figures without an interval follow the measures: shares in percent, points as they are', () => {
  const measure = accuracy;
  const first = {
    ...emptyRound,
    benchmarks: [measure],
    combined: [
      { ...set, name: 'perception', value: 1234.56, unit: 'points' as const },
      { set: 'pope', title: 'POPE', name: 'f1', value: 0.877, unit: 'share' as const },
    ],
  };
  const html = benchmarkTable([first, { ...emptyRound, round: 1, benchmarks: [measure] }]);
  const cells = [...html.matchAll(/<(?:td|th scope="row")[^>]*>(.*?)<\/t[dh]>/g)].map(([, cell = '']) =>
    cell.replace(/<[^>]*>/g, ''),
  );
  expect(cells).toEqual([
    ...['MME (mme), accuracy', '50.0 % (40.0 to 60.0)', '50.0 % (40.0 to 60.0)'],
    ...['MME (mme), perception', '1234.6 points', '–'],
    ...['POPE (pope), f1', '87.7 %', '–'],
  ]);
});

test('direct answers that are multiple choice again have no row; those of another set, which differ, do', () => {
  const measured = (name: string, measure: string, value: number) => ({ ...accuracy, set: name, measure, value });
  const round = {
    ...emptyRound,
    validation: { mc: 0.5, da: 0.5, errorByType: {} },
    benchmarks: [
      measured('validation', 'multipleChoice', 0.5),
      measured('validation', 'directAnswer', 0.5),
      measured('written', 'multipleChoice', 0.5),
      measured('written', 'directAnswer', 0.25),
    ],
  };
  const shown = (rounds: (typeof round)[]) =>
    withoutRepeatedScores(rounds).flatMap(({ benchmarks }) =>
      benchmarks.map(({ set, measure }) => `${set} ${measure}`),
    );
  expect(shown([round])).toEqual(['validation multipleChoice', 'written multipleChoice', 'written directAnswer']);
  // Where they have a column, everything is there.
  expect(shown([{ ...round, validation: { ...round.validation, da: 0.25 } }])).toHaveLength(4);
});

test('what the served model answers has a row where a round has checked it', () => {
  const checked = {
    ...emptyRound,
    benchmarks: [accuracy],
    serving: { questions: 200, nearTies: 1, largestLossDifference: 0.00042 },
  };
  const html = benchmarkTable([
    { ...emptyRound, benchmarks: [accuracy] },
    { ...checked, round: 1 },
  ]);
  expect(html).toContain('Same answers, merged and served');
  expect(html).toContain('200 of 200 <span class="range">(1 near tie)</span>');
  expect(html).toContain('>0.0004</td>');
  expect(benchmarkTable([{ ...emptyRound, benchmarks: [accuracy] }])).not.toContain('served');
});
