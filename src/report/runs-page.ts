import type { TopLevelSpec } from 'vega-lite';
import { formatSeconds } from '../core/durations.ts';
import { writeFileAtomically } from '../core/write-file.ts';
import { seriesColors, seriesDashes, seriesShapes } from './draw-chart.ts';
import { type Figure, figures } from './figures.ts';
import { type Cell, escapeHtml, type Html, table } from './html.ts';
import { page } from './page.ts';
import type { EndedRound, ReportRound } from './report-input.ts';
import { count, interval, mainScore, money, percent, secondsOf, sum } from './tables.ts';

/** How a run stands. */
export interface RunStatus {
  state: 'finished' | 'ended early' | 'under way' | 'stopped';
  /** Where, or why. */
  text: string;
}

/** One run among others. */
export interface RunOverview {
  run: string;
  status: RunStatus;
  /** The settings in which runs differ most, as label and value; the same labels for every run. */
  settings: { label: string; value: string }[];
  rounds: ReportRound[];
  /** The round that ended the run, as it had nothing new to train on. */
  ended?: EndedRound | undefined;
}

/** A folder of a run that can't be read. */
export interface UnreadableRun {
  run: string;
  problem: string;
}

/**
 * Writes one page about several runs: a row per run with its status and a link to its own report, `<run>/report.html` beside
 * the page, and scores by round.
 *
 * @throws StorageError when the disk can't take the file
 */
export async function writeRunsPage(
  file: string,
  { runs, unreadable }: { runs: RunOverview[]; unreadable: UnreadableRun[] },
): Promise<void> {
  const sections = [
    { title: 'Runs', body: runs.length === 0 ? '<p>No run has started yet.</p>' : runsTable(runs) },
    ...(runs.some(({ rounds }) => rounds.length > 0)
      ? [{ title: 'Scores by round', body: await scoreCharts(runs) }]
      : []),
    ...(unreadable.length === 0 ? [] : [{ title: 'Could not be read', body: problemTable(unreadable) }]),
  ];
  await writeFileAtomically(file, page('Data engine runs', sections));
}

function runsTable(runs: RunOverview[]): Html {
  const score = isOnlyAokvqa(runs) ? 'MC' : 'score';
  const labels = runs[0]?.settings.map(({ label }) => label) ?? [];
  const hasCost = runs.some(({ rounds }) => rounds.some(({ cost }) => cost));
  const head = [
    'Run',
    'Status',
    ...labels,
    `Round 0 ${score}`,
    `Last ${score}`,
    `Last test ${score}`,
    'Samples added',
    'Teacher tokens',
    ...(hasCost ? ['Cost'] : []),
    'Time',
  ];
  const rows = runs.map(({ run, status, settings, rounds, ended }, index): Cell[] => {
    const last = rounds.at(-1);
    const all = [...rounds, ...(ended ? [ended] : [])];
    return [
      linked(run, index, rounds.length > 0),
      { text: status.state, left: true, html: `<b>${status.state}</b>: ${escapeHtml(status.text)}` },
      ...settings.map(({ value }): Cell => ({ text: value, left: true, html: escapeHtml(value) })),
      percent(rounds[0]?.validation.mc),
      withInterval(last),
      percent(last?.test?.mc),
      count(sum(rounds.map(({ samplesAdded }) => samplesAdded))),
      count(sum(all.map(({ teacherTokens }) => teacherTokens))),
      ...(hasCost ? [costOf(all)] : []),
      formatSeconds(sum(all.map(secondsOf))),
    ];
  });
  return `<div class="runs">${table(head, rows)}</div>`;
}

/** The run's name with the sign of its line in the charts. A run without a finished round has no report. */
function linked(run: string, index: number, hasReport: boolean): Cell {
  const name = hasReport
    ? `<a href="${escapeHtml(encodeURIComponent(run))}/report.html">${escapeHtml(run)}</a>`
    : escapeHtml(run);
  const { color, dash, shape } = series(index);
  const line = `<line x1="0" y1="6" x2="30" y2="6" stroke="${color}" stroke-width="2" stroke-dasharray="${dash.join(' ')}"/>`;
  const point = `<path d="${seriesPaths[shape]}" transform="translate(15 6)" fill="${color}"/>`;
  const sign = hasReport ? `<svg class="sign" width="30" height="12" aria-hidden="true">${line}${point}</svg>` : '';
  return { text: run, html: `${sign}${name}` };
}

/** What tells the lines of two runs apart: ten colors, then other dashes; and another shape of points from run to run. */
function series(index: number) {
  return {
    color: seriesColors[index % seriesColors.length] as string,
    dash: seriesDashes[Math.floor(index / seriesColors.length) % seriesDashes.length] as number[],
    shape: seriesShapes[index % seriesShapes.length] as keyof typeof seriesPaths,
  };
}

const seriesPaths = {
  circle: 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0',
  square: 'M-4 -4h8v8h-8z',
  'triangle-up': 'M0 -5l5 9h-10z',
  diamond: 'M0 -5.5l5 5.5l-5 5.5l-5 -5.5z',
  'triangle-down': 'M0 5l5 -9h-10z',
  cross: 'M-1.7 -5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3z',
  'triangle-right': 'M5 0l-9 5v-10z',
} as const;

function costOf(rounds: readonly Pick<ReportRound, 'cost'>[]): string {
  const costs = rounds.flatMap(({ cost }) => cost ?? []);
  const [first] = costs;
  return first === undefined
    ? '–'
    : money({ amount: sum(costs.map(({ amount }) => amount)), currency: first.currency });
}

function isOnlyAokvqa(runs: RunOverview[]): boolean {
  return runs.every(({ rounds }) => rounds.every(({ measure }) => measure === undefined));
}

function withInterval(round: ReportRound | undefined): string {
  if (round === undefined) return '–';
  const score = mainScore(round);
  return score.low === undefined ? percent(score.value) : `${percent(score.value)} (${interval(score)})`;
}

async function scoreCharts(runs: RunOverview[]): Promise<Html> {
  const score = isOnlyAokvqa(runs) ? 'multiple choice' : 'main score';
  const scored = {
    [`Validation, ${score}`]: ({ validation }: ReportRound) => validation.mc,
    [`Test, ${score}`]: ({ test }: ReportRound) => test?.mc,
  };
  const list = Object.entries(scored).flatMap(([caption, scoreOf]): Figure[] => {
    const values = runs.flatMap(({ run, rounds }) =>
      rounds.flatMap((round) => {
        const accuracy = scoreOf(round);
        return accuracy === undefined ? [] : [{ run, round: round.round, accuracy }];
      }),
    );
    return values.length === 0 ? [] : [{ caption, chart: (width) => scoreChart(values, runs, width) }];
  });
  return `<p class="note">Lines are marked as in the table.</p>${await figures(list)}`;
}

function scoreChart(
  values: { run: string; round: number; accuracy: number }[],
  runs: RunOverview[],
  width: number,
): TopLevelSpec {
  const domain = runs.map(({ run }) => run);
  const marks = runs.map((_, index) => series(index));
  return {
    width,
    height: 320,
    autosize: { type: 'fit', contains: 'padding' },
    data: { values },
    mark: { type: 'line', point: { size: 60 } },
    encoding: {
      x: { field: 'round', type: 'ordinal', title: 'Round', axis: { labelAngle: 0 } },
      y: {
        field: 'accuracy',
        type: 'quantitative',
        title: null,
        scale: { zero: false, nice: true },
        axis: { format: '.1~%', tickCount: 6 },
      },
      color: { field: 'run', type: 'nominal', legend: null, scale: { domain, range: marks.map(({ color }) => color) } },
      shape: { field: 'run', type: 'nominal', legend: null, scale: { domain, range: marks.map(({ shape }) => shape) } },
      strokeDash: {
        field: 'run',
        type: 'nominal',
        legend: null,
        scale: { domain, range: marks.map(({ dash }) => dash) },
      },
    },
  };
}

function problemTable(unreadable: UnreadableRun[]): Html {
  return table(
    ['Run', 'Problem'],
    unreadable.map(({ run, problem }) => [run, problem]),
  );
}
