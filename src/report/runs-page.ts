import type { TopLevelSpec } from 'vega-lite';
import { writeFileAtomically } from '../core/write-file.ts';
import { drawChart } from './draw-chart.ts';
import { escapeHtml, type Html, table } from './html.ts';
import { page } from './page.ts';
import type { ReportRound } from './report-input.ts';
import { count, formatSeconds, percent, sum } from './tables.ts';

/** One run among others. */
export interface RunOverview {
  run: string;
  /** The settings in which runs differ most, as label and value; the same labels for every run. */
  settings: { label: string; value: string }[];
  rounds: ReportRound[];
}

/** A folder of a run that can't be read. */
export interface UnreadableRun {
  run: string;
  problem: string;
}

/**
 * Writes one page about several runs: scores by round, and a row per run with a link to its own report, `<run>/report.html`
 * beside the page.
 *
 * @throws StorageError when the disk can't take the file
 */
export async function writeRunsPage(
  file: string,
  { runs, unreadable }: { runs: RunOverview[]; unreadable: UnreadableRun[] },
): Promise<void> {
  const sections = [
    { title: 'Runs', body: runs.length === 0 ? '<p>No run has finished a round yet.</p>' : runsTable(runs) },
    ...(runs.length === 0 ? [] : [{ title: 'Scores by round', body: await scoreCharts(runs) }]),
    ...(unreadable.length === 0 ? [] : [{ title: 'Could not be read', body: problemTable(unreadable) }]),
  ];
  await writeFileAtomically(file, page('Data engine runs', sections));
}

function runsTable(runs: RunOverview[]): Html {
  const score = isOnlyAokvqa(runs) ? 'MC' : 'score';
  const labels = runs[0]?.settings.map(({ label }) => label) ?? [];
  const head = [
    'Run',
    ...labels,
    'Data rounds',
    `Round 0 ${score}`,
    `Last ${score}`,
    `Last test ${score}`,
    'Samples added',
    'Teacher tokens',
    'Time',
  ];
  const rows = runs.map(({ run, settings, rounds }) => {
    const last = rounds.at(-1);
    return [
      run,
      ...settings.map(({ value }) => value),
      count(rounds.length - 1),
      percent(rounds[0]?.validation.mc),
      withInterval(last),
      percent(last?.test?.mc),
      count(sum(rounds.map(({ samplesAdded }) => samplesAdded))),
      count(sum(rounds.map(({ teacherTokens }) => teacherTokens))),
      formatSeconds(sum(rounds.flatMap(({ secondsByStep }) => Object.values(secondsByStep)))),
    ];
  });
  const links = runs.map(
    ({ run }) => `<a href="${escapeHtml(encodeURIComponent(run))}/report.html">${escapeHtml(run)}</a>`,
  );
  return `${table(head, rows)}<p>Reports: ${links.join(' ')}</p>`;
}

function isOnlyAokvqa(runs: RunOverview[]): boolean {
  return runs.every(({ rounds }) => rounds.every(({ measure }) => measure === undefined));
}

function withInterval(round: ReportRound | undefined): string {
  const main = round?.measure ?? 'multipleChoice';
  const interval = round?.benchmarks.find(({ set, measure }) => set === 'validation' && measure === main);
  if (!interval) return percent(round?.validation.mc);
  return `${percent(round?.validation.mc)} (${(interval.low * 100).toFixed(1)} to ${(interval.high * 100).toFixed(1)})`;
}

async function scoreCharts(runs: RunOverview[]): Promise<Html> {
  const score = isOnlyAokvqa(runs) ? 'multiple choice' : 'main score';
  const scored = {
    [`Validation, ${score}`]: ({ validation }: ReportRound) => validation.mc,
    [`Test, ${score}`]: ({ test }: ReportRound) => test?.mc,
  };
  const figures: Html[] = [];
  for (const [caption, scoreOf] of Object.entries(scored)) {
    const values = runs.flatMap(({ run, rounds }) =>
      rounds.flatMap((round) => {
        const accuracy = scoreOf(round);
        return accuracy === undefined ? [] : [{ run, round: round.round, accuracy }];
      }),
    );
    if (values.length === 0) continue;
    figures.push(
      `<figure><figcaption>${caption}</figcaption>${await drawChart(
        scoreChart(
          values,
          runs.map(({ run }) => run),
        ),
      )}</figure>`,
    );
  }
  return `<div class="charts">${figures.join('\n')}</div>`;
}

function scoreChart(values: { run: string; round: number; accuracy: number }[], runs: string[]): TopLevelSpec {
  return {
    width: 420,
    height: 280,
    data: { values },
    mark: { type: 'line', point: true },
    encoding: {
      x: { field: 'round', type: 'ordinal', title: 'Round', axis: { labelAngle: 0 } },
      y: {
        field: 'accuracy',
        type: 'quantitative',
        title: null,
        scale: { zero: false, nice: true },
        axis: { format: '.1~%', tickCount: 6 },
      },
      color: { field: 'run', type: 'nominal', title: null, sort: runs, legend: { orient: 'bottom', columns: 2 } },
    },
  };
}

function problemTable(unreadable: UnreadableRun[]): Html {
  return table(
    ['Run', 'Problem'],
    unreadable.map(({ run, problem }) => [run, problem]),
  );
}
