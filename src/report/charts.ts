import type { TopLevelSpec } from 'vega-lite';
import { type ReportRound, reportsDirectAnswers } from './report-input.ts';
import { roundsShown } from './tables.ts';

/** A chart that takes the width it is given, in px. */
export type Chart = (width: number) => TopLevelSpec;

const roundAxis = { field: 'round', type: 'ordinal', title: 'Round', axis: { labelAngle: 0 } } as const;
const fitted = { type: 'fit', contains: 'padding' } as const;
const height = 260;
/** Of more rounds, neither points nor names would be told apart. */
const scoresShown = 30;

/**
 * Validation and test scores against the round, with 95 % confidence intervals: a chart for each measure. In one, equal
 * scores would hide each other.
 */
export function accuracyCharts(all: readonly ReportRound[]): { caption: string; chart: Chart }[] {
  const rounds = all.slice(-scoresShown);
  const hasDirectAnswers = reportsDirectAnswers(rounds);
  const values = rounds.flatMap((round) => [
    ...accuracy(round, 'validation', round.validation, hasDirectAnswers),
    ...(round.test === undefined ? [] : accuracy(round, 'test', round.test, hasDirectAnswers)),
  ]);
  const measures = [...new Set(values.map(({ measure }) => measure))];
  return measures.map((measure) => ({
    caption: `By round: ${measure}`,
    chart: (width) =>
      accuracyChart(
        values.filter((one) => one.measure === measure),
        width,
      ),
  }));
}

function accuracyChart(values: object[], width: number): TopLevelSpec {
  const color = {
    field: 'set',
    type: 'nominal',
    title: null,
    sort: ['validation', 'test'],
    legend: { symbolOpacity: 1 },
  } as const;
  const y = {
    field: 'accuracy',
    type: 'quantitative',
    title: null,
    scale: { zero: false, nice: true },
    axis: { format: '.1~%', tickCount: 6 },
  } as const;
  // Side by side: intervals in one place would hide each other.
  const xOffset = { field: 'set', type: 'nominal', sort: ['validation', 'test'] } as const;
  return {
    width,
    height,
    autosize: fitted,
    data: { values },
    layer: [
      {
        mark: { type: 'rule', opacity: 0.6 },
        encoding: { x: roundAxis, xOffset, y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
      },
      {
        mark: { type: 'line', point: { size: 50, filled: true } },
        encoding: { x: roundAxis, xOffset, y, color, shape: { ...color, legend: null } },
      },
    ],
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

/** Working time of each round by step. */
export function timeChart(rounds: ReportRound[]): Chart {
  const values = rounds.flatMap(({ round, secondsByStep }) =>
    Object.entries(secondsByStep).map(([step, seconds], place) => ({ round, step, minutes: seconds / 60, place })),
  );
  const steps = [...new Set(values.map(({ step }) => step))];
  return (width) => ({
    width,
    height: barHeight * rounds.length + 50 + 18 * Math.ceil(steps.length / legendColumns(width)),
    autosize: fitted,
    data: { values },
    mark: { type: 'bar', size: 16 },
    encoding: {
      y: { ...roundAxis, axis: undefined },
      x: { field: 'minutes', type: 'quantitative', title: 'Minutes', stack: true },
      color: {
        field: 'step',
        type: 'nominal',
        title: null,
        sort: steps,
        legend: { columns: legendColumns(width) },
      },
      order: { field: 'place', type: 'quantitative' },
    },
  });
}

/** In px, with the gap between bars. */
const barHeight = 26;

function legendColumns(width: number): number {
  return Math.max(2, Math.floor(width / 110));
}

/** The teacher's cost by round; undefined when no price is known. */
export function costChart(rounds: ReportRound[]): Chart | undefined {
  const currency = rounds.find(({ cost }) => cost)?.cost?.currency;
  if (currency === undefined) return undefined;
  return (width) => ({
    width,
    height: barHeight * rounds.length + 50,
    autosize: fitted,
    data: { values: rounds.map(({ round, cost }) => ({ round, amount: cost?.amount ?? 0 })) },
    mark: { type: 'bar', size: 16 },
    encoding: {
      y: { ...roundAxis, axis: undefined },
      x: { field: 'amount', type: 'quantitative', title: `Teacher, ${currency}` },
    },
  });
}

/** From so many times the lowest loss on, a linear axis would flatten all but the first steps. */
const wideRange = 5;

/**
 * Training loss of the last rounds' finetunes against the step, smoothed, over the losses as they are; dashed the validation
 * loss, where it was computed. The axis is logarithmic where losses differ much.
 */
export function lossChart(rounds: ReportRound[]): Chart {
  const shown = rounds.slice(-roundsShown);
  const named = (of: (round: ReportRound) => ReportRound['lossCurve']) =>
    shown.flatMap((round) => of(round).map(({ step, loss }) => ({ round: `round ${round.round}`, step, loss })));
  const raw = named(({ lossCurve }) => lossCurve);
  const smoothed = named(({ lossCurve }) => smooth(lossCurve));
  const validation = named(({ validationLosses = [] }) => validationLosses);
  const losses = [...raw, ...validation].map(({ loss }) => loss);
  const isWide = losses.every((loss) => loss > 0) && Math.max(...losses) > wideRange * Math.min(...losses);
  // A line through a single step is invisible.
  const point = shown.some(({ lossCurve }) => lossCurve.length === 1);
  return (width) => ({
    width,
    height,
    autosize: fitted,
    layer: [
      { data: { values: raw }, mark: { type: 'line', strokeWidth: 1, opacity: 0.25 } },
      { data: { values: smoothed }, mark: { type: 'line', strokeWidth: 2, point } },
      ...(validation.length === 0
        ? []
        : [
            {
              data: { values: validation },
              mark: { type: 'line' as const, strokeWidth: 2, strokeDash: [6, 3], point: true },
            },
          ]),
    ],
    encoding: {
      x: { field: 'step', type: 'quantitative', title: 'Step', axis: { tickCount: 6 } },
      y: {
        field: 'loss',
        type: 'quantitative',
        title: isWide ? 'Loss (logarithmic)' : 'Loss',
        scale: isWide ? { type: 'log', nice: false } : { zero: false },
        axis: { tickCount: 6 },
      },
      color: {
        field: 'round',
        type: 'nominal',
        title: null,
        sort: shown.map(({ round }) => `round ${round}`),
        legend: { columns: Math.max(2, Math.floor(width / 90)), symbolOpacity: 1, symbolStrokeWidth: 2 },
      },
    },
  });
}

/**
 * The exponential moving average over about a twentieth of the curve, corrected for its start as Adam's moments are
 * (Kingma and Ba 2014). Short curves stay as they are.
 */
export function smooth<P extends { loss: number }>(curve: readonly P[]): P[] {
  const keep = 1 - 1 / Math.max(1, curve.length / 20);
  let [average, weight] = [0, 0];
  return curve.map((point) => {
    average = keep * average + (1 - keep) * point.loss;
    weight = keep * weight + (1 - keep);
    return { ...point, loss: average / weight };
  });
}
