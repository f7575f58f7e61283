import { valueIn } from '../core/records.ts';
import { type Html, table } from './html.ts';
import { type ReportInput, type ReportRound, reportsDirectAnswers } from './report-input.ts';

const nothing = '–';

/** A row per round: scores, data added and rejected, cost. */
export function roundsTable(rounds: ReportRound[]): Html {
  const hasCost = rounds.some((round) => round.cost);
  const measure = rounds.at(-1)?.measure;
  const hasDirectAnswers = measure === undefined && reportsDirectAnswers(rounds);
  const head = [
    'Round',
    ...(hasDirectAnswers
      ? ['Validation MC', 'Validation DA', 'Test MC', 'Test DA']
      : [`Validation ${measure ?? 'MC'}`, `Test ${measure ?? 'MC'}`]),
    'Samples added',
    'Rejected',
    'Teacher tokens',
    ...(hasCost ? ['Cost'] : []),
    'Time',
  ];
  const rows = rounds.map((round) => [
    String(round.round),
    ...(hasDirectAnswers
      ? [round.validation.mc, round.validation.da, round.test?.mc, round.test?.da]
      : [round.validation.mc, round.test?.mc]
    ).map(percent),
    count(round.samplesAdded),
    count(sum(Object.values(round.rejectedByReason))),
    count(round.teacherTokens),
    ...(hasCost ? [cost(round)] : []),
    formatSeconds(sum(Object.values(round.secondsByStep))),
  ]);
  return table(head, rows);
}

/** Number of raw answers that each filter rejected: a row per reason, a column per round that generated data. */
export function rejectedTable(rounds: ReportRound[]): Html {
  const dataRounds = rounds.filter(({ rejectedByReason }) => Object.keys(rejectedByReason).length > 0);
  const reasons = [...new Set(dataRounds.flatMap(({ rejectedByReason }) => Object.keys(rejectedByReason)))].sort();
  if (reasons.length === 0) return '<p>No answer of the teacher was rejected.</p>';
  const rows = reasons.map((reason) => {
    const counts = dataRounds.map(({ rejectedByReason }) => valueIn(rejectedByReason, reason) ?? 0);
    return [reason, ...counts.map(count), count(sum(counts))];
  });
  return table(['Reason', ...dataRounds.map(({ round }) => `Round ${round}`), 'All'], rows);
}

/** The settings, as labels and values. */
export function configTable(settings: ReportInput['configSummary']): Html {
  return table(
    ['Setting', 'Value'],
    settings.map(({ label, value }) => [label, value]),
  );
}

function cost({ cost }: ReportRound): string {
  return cost === undefined ? nothing : `${cost.amount.toFixed(2)} ${cost.currency}`;
}

/** `0.412` → `41.2 %` */
export function percent(fraction: number | undefined): string {
  return fraction === undefined ? nothing : `${(fraction * 100).toFixed(1)} %`;
}

/** `1234` → `1,234` */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

export function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** `95` → `1 min 35 s`, `7205` → `2 h 0 min` */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
