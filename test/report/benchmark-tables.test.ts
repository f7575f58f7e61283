import { expect, test } from 'vitest';
import { benchmarkTable } from '../../src/report/benchmark-tables.ts';
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
