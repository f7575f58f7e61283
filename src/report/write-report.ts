import { writeFileAtomically } from '../core/write-file.ts';
import { abilityTables, benchmarkTable, judgeTable, withoutRepeatedScores } from './benchmark-tables.ts';
import { accuracyCharts, costChart, lossChart, timeChart } from './charts.ts';
import { type Figure, figures } from './figures.ts';
import { escapeHtml } from './html.ts';
import { lineageGraph } from './lineage.ts';
import { page } from './page.ts';
import type { ReportRound, WriteReportInput } from './report-input.ts';
import { badCaseGallery, generatedGallery, rejectedGallery } from './sample-galleries.ts';
import { configTable, count, detailsOfLast, lastRounds, rejectedTable, roundsShown, roundsTable } from './tables.ts';
import { typesSection } from './types-section.ts';
import { verdictSection } from './verdict-section.ts';

/**
 * Writes a run's report: one self-contained HTML file, with charts as SVG and images inside. It opens with what the run has
 * gained; what it was made of comes last. The file is replaced atomically.
 *
 * @throws StorageError when the disk can't take the file. An image that can't be read is shown as a gray box.
 */
export async function writeReport(input: WriteReportInput): Promise<void> {
  const { run, configSummary, rounds, plannedRounds, ended, badCases, generated, rejected, lineage, output } = input;
  const done = rounds.at(-1)?.round;
  const standing =
    done === undefined ? '' : `round ${done}${plannedRounds === undefined ? '' : ` of ${plannedRounds}`} is done`;
  const html = page(
    `Data engine report: ${run}`,
    [
      { title: 'Accuracy', body: (await figures(scoreFigures(rounds))) + scoreTables(rounds) },
      { title: 'Question types', body: typesSection(input) },
      {
        title: 'Samples',
        body: `${shownNote(rounds)}<h3>Generated</h3>${await generatedGallery(ofLastRounds(generated, rounds))}<h3>Rejected</h3>${rejectedTable(rounds)}${await rejectedGallery(ofLastRounds(rejected, rounds))}`,
      },
      {
        title: 'Bad cases',
        body: await badCaseGallery(
          badCases,
          rounds.map(({ round }) => round),
        ),
      },
      {
        title: 'Time and cost',
        body: costTables(rounds, ended) + (await figures(costFigures(rounds))),
      },
      { title: 'Settings', body: `<div class="settings">${configTable(configSummary)}</div>` },
      ...prunedSection(rounds),
      { title: 'Lineage', body: await lineageGraph(lineage) },
    ],
    { standing, opening: verdictSection(input) },
  );
  await writeFileAtomically(output, html);
}

/** A run that goes on for ever has a page of the same length. */
function ofLastRounds<Shown extends { round: number }>(shown: Shown[], rounds: readonly ReportRound[]): Shown[] {
  const first = rounds.at(-roundsShown)?.round ?? 0;
  return shown.filter(({ round }) => round >= first);
}

function shownNote(rounds: readonly ReportRound[]): string {
  return rounds.length > roundsShown ? `<p>Of the last ${roundsShown} rounds.</p>` : '';
}

/** Models that the run does not keep, and how each is had again; nothing where all are there. */
function prunedSection(rounds: readonly ReportRound[]): { title: string; body: string }[] {
  const all = rounds.filter(({ pruned }) => pruned !== undefined);
  const items = all
    .slice(-roundsShown)
    .flatMap(({ round, pruned }) =>
      pruned === undefined
        ? []
        : [
            `<li>${escapeHtml(`Round ${round}: ${pruned}`)}. <code>dataengine merge --round ${round}</code> makes the same model again.</li>`,
          ],
    );
  if (items.length === 0) return [];
  const earlier = all.length - items.length;
  const note = earlier === 0 ? '' : `<p class="note">So are the models of ${count(earlier)} rounds before them.</p>`;
  return [{ title: 'Pruned', body: `<p>With the config of the run:</p><ul>${items.join('')}</ul>${note}` }];
}

function scoreTables(rounds: readonly ReportRound[]) {
  const shown = withoutRepeatedScores(rounds);
  return detailsOfLast(shown, (some) => benchmarkTable(some) + judgeTable(some)) + abilityTables(shown);
}

function costTables(rounds: readonly ReportRound[], ended: WriteReportInput['ended']) {
  const isLast = (some: readonly ReportRound[]) => some.at(-1) === rounds.at(-1);
  return lastRounds(rounds, (some) => roundsTable(some, { all: rounds, ended: isLast(some) ? ended : undefined }));
}

function scoreFigures(rounds: ReportRound[]): Figure[] {
  if (rounds.length === 0) return [];
  return [
    ...accuracyCharts(rounds),
    {
      caption: rounds.some(({ validationLosses = [] }) => validationLosses.length > 0)
        ? 'Training loss, smoothed, and dashed the validation loss'
        : 'Training loss, smoothed',
      chart: lossChart(rounds),
    },
  ];
}

function costFigures(rounds: ReportRound[]): Figure[] {
  const shown = rounds.slice(-roundsShown);
  if (shown.length === 0) return [];
  const cost = costChart(shown);
  return [
    { caption: 'Working time by step', chart: timeChart(shown) },
    ...(cost === undefined ? [] : [{ caption: 'Cost of the teacher', chart: cost }]),
  ];
}
