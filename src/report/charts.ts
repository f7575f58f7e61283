import type { TopLevelSpec } from 'vega-lite';
import { valueIn } from '../core/records.ts';
import { type ReportRound, reportsDirectAnswers } from './report-input.ts';

const roundAxis = { field: 'round', type: 'ordinal', title: 'Round', axis: { labelAngle: 0 } } as const;

/** Validation and test scores, multiple choice and direct answer, against the round, with 95 % confidence intervals. */
export function accuracyChart(rounds: ReportRound[]): TopLevelSpec {
  const hasDirectAnswers = reportsDirectAnswers(rounds);
  const values = rounds.flatMap((round) => [
    ...accuracy(round, 'validation', round.validation, hasDirectAnswers),
    ...(round.test === undefined ? [] : accuracy(round, 'test', round.test, hasDirectAnswers)),
  ]);
  const color = { field: 'set', type: 'nominal', title: null, sort: ['validation', 'test'] } as const;
  const y = {
    field: 'accuracy',
    type: 'quantitative',
    title: null,
    scale: { zero: false, nice: true },
    axis: { format: '.1~%', tickCount: 6 },
  } as const;
  // Side by side: intervals in one place would hide each other.
  const xOffset = { field: 'set', type: 'nominal', sort: ['validation', 'test'] } as const;
  // A panel for each measure: in one, equal scores would hide each other.
  return {
    data: { values },
    facet: { column: { field: 'measure', type: 'nominal', title: null, sort: 'descending' } },
    spec: {
      width: 220,
      height: 240,
      layer: [
        {
          mark: { type: 'rule', opacity: 0.6 },
          encoding: { x: roundAxis, xOffset, y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
        },
        { mark: { type: 'line', point: { size: 50 } }, encoding: { x: roundAxis, xOffset, y, color } },
      ],
    },
  };
}

function accuracy(
  { round, measure, benchmarks }: ReportRound,
  set: string,
  { mc, da }: { mc: number; da: number },
  hasDirectAnswers: boolean,
) {
  const interval = (measure: string, value: number) => {
    const { low, high } = benchmarks.find((one) => one.set === set && one.measure === measure) ?? {
      low: value,
      high: value,
    };
    return { round, set, accuracy: value, low, high };
  };
  if (measure !== undefined) return [{ measure, ...interval(measure, mc) }];
  return [
    { measure: 'multiple choice (MC)', ...interval('multipleChoice', mc) },
    ...(hasDirectAnswers ? [{ measure: 'direct answer (DA)', ...interval('directAnswer', da) }] : []),
  ];
}

/** Share of wrong answers on the validation questions: a row per question type, a column per round. */
export function errorByTypeChart(rounds: ReportRound[]): TopLevelSpec {
  const values = rounds.flatMap(({ round, validation }) =>
    Object.entries(validation.errorByType).map(([type, error]) => ({ round, type, error })),
  );
  return {
    width: { step: 64 },
    height: { step: 26 },
    data: { values },
    encoding: { x: roundAxis, y: { field: 'type', type: 'ordinal', title: null } },
    layer: [
      {
        mark: { type: 'rect' },
        encoding: {
          color: {
            field: 'error',
            type: 'quantitative',
            scale: { domain: [0, 1], scheme: 'oranges' },
            legend: null,
          },
        },
      },
      {
        mark: { type: 'text' },
        encoding: {
          text: { field: 'error', type: 'quantitative', format: '.0%' },
          color: { condition: { test: 'datum.error > 0.6', value: '#fff' }, value: '#222' },
        },
      },
    ],
  };
}

/**
 * For one round: each question type's share of the weights beside its share of the requests drawn, and how many points
 * its error fell against the round before.
 */
export function samplingChart(round: ReportRound, before: ReportRound | undefined): TopLevelSpec {
  const { weights, sampledByType, validation } = round;
  const types = [...new Set([...Object.keys(weights), ...Object.keys(sampledByType)])].sort();
  const order = ['weight', 'sampled'];
  const shareValues = [
    ...shares(weights).map((share) => ({ ...share, what: 'weight' })),
    ...shares(sampledByType).map((share) => ({ ...share, what: 'sampled' })),
  ];
  const gainValues = types.flatMap((type) => {
    const now = valueIn(validation.errorByType, type);
    const earlier = valueIn(before?.validation.errorByType, type);
    return now === undefined || earlier === undefined ? [] : [{ type, gain: (earlier - now) * 100 }];
  });
  const y = { field: 'type', type: 'nominal', title: null, scale: { domain: types } } as const;
  return {
    hconcat: [
      {
        width: 220,
        height: { step: 26, for: 'position' },
        data: { values: shareValues },
        mark: { type: 'bar' },
        encoding: {
          y,
          yOffset: { field: 'what', type: 'nominal', sort: order },
          x: { field: 'share', type: 'quantitative', title: 'Share', axis: { format: '.1~%', tickCount: 5 } },
          color: { field: 'what', type: 'nominal', title: null, sort: order },
        },
      },
      {
        width: 140,
        height: { step: 26 },
        data: { values: gainValues },
        mark: { type: 'bar', size: 12 },
        encoding: {
          y: { ...y, axis: null },
          x: { field: 'gain', type: 'quantitative', title: 'Error fell by, in points', axis: { tickCount: 4 } },
          color: { condition: { test: 'datum.gain < 0', value: '#d0604f' }, value: '#3aa67a' },
        },
      },
    ],
  };
}

/** Working time of each round by step. */
export function timeChart(rounds: ReportRound[]): TopLevelSpec {
  const values = rounds.flatMap(({ round, secondsByStep }) =>
    Object.entries(secondsByStep).map(([step, seconds], place) => ({ round, step, minutes: seconds / 60, place })),
  );
  const steps = [...new Set(values.map(({ step }) => step))];
  return {
    width: 420,
    height: { step: 26 },
    data: { values },
    mark: { type: 'bar' },
    encoding: {
      y: { ...roundAxis, axis: undefined },
      x: { field: 'minutes', type: 'quantitative', title: 'Minutes', stack: true },
      color: { field: 'step', type: 'nominal', title: null, sort: steps, legend: { columns: 5 } },
      order: { field: 'place', type: 'quantitative' },
    },
  };
}

/** The teacher's cost by round; undefined when no price is known. */
export function costChart(rounds: ReportRound[]): TopLevelSpec | undefined {
  const currency = rounds.find(({ cost }) => cost)?.cost?.currency;
  if (currency === undefined) return undefined;
  return {
    width: 420,
    height: { step: 26 },
    data: { values: rounds.map(({ round, cost }) => ({ round, amount: cost?.amount ?? 0 })) },
    mark: { type: 'bar', size: 14 },
    encoding: {
      y: { ...roundAxis, axis: undefined },
      x: { field: 'amount', type: 'quantitative', title: `Teacher, ${currency}` },
    },
  };
}

/** Training loss of every round's finetune against the step, and validation loss where it was computed. */
export function lossChart(rounds: ReportRound[]): TopLevelSpec {
  const values = rounds.flatMap(({ round, lossCurve }) =>
    lossCurve.map(({ step, loss }) => ({ round: `round ${round}`, step, loss })),
  );
  const validation = rounds.flatMap(({ round, validationLosses = [] }) =>
    validationLosses.map(({ step, loss }) => ({ round: `round ${round}`, step, loss })),
  );
  // A line through a single step is invisible.
  const point = rounds.some(({ lossCurve }) => lossCurve.length === 1);
  return {
    width: 420,
    height: 260,
    ...(validation.length === 0
      ? { data: { values }, mark: { type: 'line', strokeWidth: 1.5, point } }
      : {
          layer: [
            { data: { values }, mark: { type: 'line', strokeWidth: 1.5, point, opacity: 0.5 } },
            { data: { values: validation }, mark: { type: 'line', strokeWidth: 2, strokeDash: [6, 3], point: true } },
          ],
        }),
    encoding: {
      x: { field: 'step', type: 'quantitative', title: 'Step' },
      y: { field: 'loss', type: 'quantitative', title: 'Loss', scale: { zero: false } },
      color: { field: 'round', type: 'nominal', title: null, sort: rounds.map(({ round }) => `round ${round}`) },
    },
  };
}

function shares(amounts: Record<string, number>): { type: string; share: number }[] {
  const total = Object.values(amounts).reduce((sum, amount) => sum + amount, 0);
  return Object.entries(amounts).map(([type, amount]) => ({ type, share: total === 0 ? 0 : amount / total }));
}
