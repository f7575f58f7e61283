import type { TopLevelSpec } from 'vega-lite';
import type { ReportRound } from './report-input.ts';

const roundAxis = { field: 'round', type: 'ordinal', title: 'Round', axis: { labelAngle: 0 } } as const;

/** Validation and test scores, multiple choice and direct answer, against the round. */
export function accuracyChart(rounds: ReportRound[]): TopLevelSpec {
  const values = rounds.flatMap(({ round, validation, test }) => [
    { round, set: 'validation', measure: 'multiple choice (MC)', accuracy: validation.mc },
    { round, set: 'validation', measure: 'direct answer (DA)', accuracy: validation.da },
    ...(test === undefined
      ? []
      : [
          { round, set: 'test', measure: 'multiple choice (MC)', accuracy: test.mc },
          { round, set: 'test', measure: 'direct answer (DA)', accuracy: test.da },
        ]),
  ]);
  // A panel for each measure: in one, equal scores would hide each other.
  return {
    data: { values },
    facet: { column: { field: 'measure', type: 'nominal', title: null, sort: 'descending' } },
    spec: {
      width: 200,
      height: 240,
      mark: { type: 'line', point: { size: 50 } },
      encoding: {
        x: roundAxis,
        y: {
          field: 'accuracy',
          type: 'quantitative',
          title: null,
          scale: { zero: false, nice: true },
          axis: { format: '.1~%', tickCount: 6 },
        },
        color: { field: 'set', type: 'nominal', title: null, sort: ['validation', 'test'] },
      },
    },
  };
}

/** Share of wrong answers on the validation questions: a line a question type, a column a round. */
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

/** For one round: each question type's share of the weights beside its share of the requests drawn. */
export function samplingChart({ weights, sampledByType }: ReportRound): TopLevelSpec {
  const values = [
    ...shares(weights).map((share) => ({ ...share, what: 'weight' })),
    ...shares(sampledByType).map((share) => ({ ...share, what: 'sampled' })),
  ];
  const order = ['weight', 'sampled'];
  return {
    width: 260,
    height: { step: 13 },
    data: { values },
    mark: { type: 'bar' },
    encoding: {
      y: { field: 'type', type: 'nominal', title: null },
      yOffset: { field: 'what', type: 'nominal', sort: order },
      x: { field: 'share', type: 'quantitative', title: 'Share', axis: { format: '.1~%', tickCount: 5 } },
      color: { field: 'what', type: 'nominal', title: null, sort: order },
    },
  };
}

/** Training loss of every round's finetune against the step. */
export function lossChart(rounds: ReportRound[]): TopLevelSpec {
  const values = rounds.flatMap(({ round, lossCurve }) =>
    lossCurve.map(({ step, loss }) => ({ round: `round ${round}`, step, loss })),
  );
  // A line through a single step can't be seen.
  const point = rounds.some(({ lossCurve }) => lossCurve.length === 1);
  return {
    width: 420,
    height: 260,
    data: { values },
    mark: { type: 'line', strokeWidth: 1.5, point },
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
