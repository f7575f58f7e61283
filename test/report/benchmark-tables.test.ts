import { expect, test } from 'vitest';
import { benchmarkTable } from '../../src/report/benchmark-tables.ts';
import { emptyRound } from './empty-round.ts';

test('figures without an interval follow the measures: shares in percent, points as they are', () => {
  const set = { set: 'mme', title: 'MME' };
  const measure = {
    ...set,
    measure: 'accuracy',
    unanswered: 0,
    value: 0.5,
    low: 0.4,
    high: 0.6,
    count: 10,
    groups: {},
  };
  const first = {
    ...emptyRound,
    benchmarks: [measure],
    combined: [
      { ...set, name: 'perception', value: 1234.56, unit: 'points' as const },
      { set: 'pope', title: 'POPE', name: 'f1', value: 0.877, unit: 'share' as const },
    ],
  };
  const html = benchmarkTable([first, { ...emptyRound, round: 1, benchmarks: [measure] }]);
  const cells = [...html.matchAll(/<(?:td|th scope="row")[^>]*>([^<]*)</g)].map(([, text]) => text);
  expect(cells).toEqual([
    ...['MME (mme), accuracy', '50.0 % (40.0 to 60.0)', '50.0 % (40.0 to 60.0)'],
    ...['MME (mme), perception', '1234.6 points', '–'],
    ...['POPE (pope), f1', '87.7 %', '–'],
  ]);
});
