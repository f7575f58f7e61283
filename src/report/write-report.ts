import type { TopLevelSpec } from 'vega-lite';
import { writeFileAtomically } from '../core/write-file.ts';
import { abilityTables, benchmarkTable, judgeTable } from './benchmark-tables.ts';
import { accuracyChart, costChart, errorByTypeChart, lossChart, samplingChart, timeChart } from './charts.ts';
import { decisionsTable, forgettingTable } from './decisions-section.ts';
import { drawChart } from './draw-chart.ts';
import { escapeHtml, type Html } from './html.ts';
import { lineageGraph } from './lineage.ts';
import { page } from './page.ts';
import type { ReportRound, WriteReportInput } from './report-input.ts';
import { badCaseGallery, generatedGallery, rejectedGallery } from './sample-galleries.ts';
import { configTable, rejectedTable, roundsTable } from './tables.ts';

interface Figure {
  caption: string;
  chart: TopLevelSpec;
}

/**
 * Writes a run's report: one self-contained HTML file, with charts as SVG and images inside. The file is replaced
 * atomically.
 *
 * @throws StorageError when the disk can't take the file. An image that can't be read is shown as a gray box.
 */
export async function writeReport(input: WriteReportInput): Promise<void> {
  const { run, configSummary, rounds, badCases, generated, rejected, lineage, output } = input;
  const html = page(`Data engine report: ${run}`, [
    { title: 'Settings', body: `<div class="settings">${configTable(configSummary)}</div>` },
    { title: 'Rounds', body: roundsTable(rounds) },
    { title: 'Built upon', body: decisionsTable(rounds) },
    { title: 'Forgotten', body: forgettingTable(rounds) },
    { title: 'Accuracy and loss', body: await figures(scoreFigures(rounds)) },
    { title: 'Benchmarks', body: benchmarkTable(rounds) + judgeTable(rounds) + abilityTables(rounds) },
    { title: 'Weights, what was sampled, and what it gained', body: await figures(samplingFigures(rounds)) },
    { title: 'Time and cost', body: await figures(costFigures(rounds)) },
    { title: 'Bad cases', body: await badCaseGallery(badCases) },
    { title: 'Generated samples', body: await generatedGallery(generated) },
    { title: 'Rejected answers', body: rejectedTable(rounds) + (await rejectedGallery(rejected)) },
    { title: 'Lineage', body: await lineageGraph(lineage) },
  ]);
  await writeFileAtomically(output, html);
}

function scoreFigures(rounds: ReportRound[]): Figure[] {
  if (rounds.length === 0) return [];
  return [
    { caption: 'Accuracy by round', chart: accuracyChart(rounds) },
    {
      caption: rounds.some(({ validationLosses = [] }) => validationLosses.length > 0)
        ? 'Training loss, and dashed the validation loss'
        : 'Training loss',
      chart: lossChart(rounds),
    },
    { caption: 'Validation error by question type', chart: errorByTypeChart(rounds) },
  ];
}

function samplingFigures(rounds: ReportRound[]): Figure[] {
  return rounds.flatMap((round, place) =>
    Object.keys(round.sampledByType).length === 0
      ? []
      : [{ caption: `Round ${round.round}`, chart: samplingChart(round, rounds[place - 1]) }],
  );
}

function costFigures(rounds: ReportRound[]): Figure[] {
  if (rounds.length === 0) return [];
  const cost = costChart(rounds);
  return [
    { caption: 'Working time by step', chart: timeChart(rounds) },
    ...(cost === undefined ? [] : [{ caption: 'Cost of the teacher', chart: cost }]),
  ];
}

async function figures(list: Figure[]): Promise<Html> {
  if (list.length === 0) return '<p>Nothing to show yet.</p>';
  const drawn: Html[] = [];
  for (const { caption, chart } of list) {
    drawn.push(`<figure><figcaption>${escapeHtml(caption)}</figcaption>${await drawChart(chart)}</figure>`);
  }
  return `<div class="charts">${drawn.join('\n')}</div>`;
}
