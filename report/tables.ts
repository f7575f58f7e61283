import { escapeHtml, type Html, table } from './html.ts';
import type { ReportInput, ReportRound } from './report-input.ts';

const nothing = '–';

/** One line a round: scores, data added and dropped, cost. */
export function roundsTable(rounds: ReportRound[]): Html {
  const head = [
    'Round',
    'Validation MC',
    'Validation DA',
    'Test MC',
    'Test DA',
    'Samples added',
    'Rejected',
    'Teacher tokens',
    'Time',
  ];
  const rows = rounds.map((round) => [
    String(round.round),
    percent(round.validation.mc),
    percent(round.validation.da),
    percent(round.test?.mc),
    percent(round.test?.da),
    count(round.samplesAdded),
    count(sum(Object.values(round.rejectedByReason))),
    count(round.teacherTokens),
    duration(round.seconds),
  ]);
  return table(head, rows);
}

/** How many raw answers each filter dropped: a line a reason, a column a round that generated data. */
export function rejectedTable(rounds: ReportRound[]): Html {
  const dataRounds = rounds.filter(({ rejectedByReason }) => Object.keys(rejectedByReason).length > 0);
  const reasons = [...new Set(dataRounds.flatMap(({ rejectedByReason }) => Object.keys(rejectedByReason)))].sort();
  if (reasons.length === 0) return '<p>No answer of the teacher was rejected.</p>';
  const rows = reasons.map((reason) => {
    const counts = dataRounds.map(({ rejectedByReason }) => rejectedByReason[reason] ?? 0);
    return [reason, ...counts.map(count), count(sum(counts))];
  });
  return table(['Reason', ...dataRounds.map(({ round }) => `Round ${round}`), 'All'], rows);
}

/** A few rejected answers of each round, under their reasons. */
export function rejectedExamples(rounds: ReportRound[]): Html {
  return rounds
    .filter((round) => round.rejectedExamples.length > 0)
    .map(({ round, rejectedExamples: examples }) => {
      const items = examples.map(
        ({ reason, detail, raw }) =>
          `<dt>${escapeHtml(reason)}: ${escapeHtml(detail)}</dt><dd><pre>${escapeHtml(raw)}</pre></dd>`,
      );
      return `<details><summary>Examples of round ${round}</summary><dl class="rejected">${items.join('\n')}</dl></details>`;
    })
    .join('\n');
}

/** The settings as label and value. */
export function configTable(settings: ReportInput['configSummary']): Html {
  return table(
    ['Setting', 'Value'],
    settings.map(({ label, value }) => [label, value]),
  );
}

function percent(fraction: number | undefined): string {
  return fraction === undefined ? nothing : `${(fraction * 100).toFixed(1)} %`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
