import { formatSeconds } from '../core/durations.ts';
import { valueIn } from '../core/records.ts';
import { changeInPoints } from './decisions.ts';
import { type Cell, folded, type Html, table } from './html.ts';
import {
  type EndedRound,
  type ReportInput,
  type ReportMeasure,
  type ReportRound,
  reportsDirectAnswers,
} from './report-input.ts';

const nothing = '–';

/** A long run shows its last rounds whole. Of the others it has a line each, folded, so that it hardly grows with each night. */
export const roundsShown = 10;

/** What is made of the last rounds alone, and where the same of those before them is. */
export function detailsOfLast(rounds: readonly ReportRound[], make: (some: ReportRound[]) => Html): Html {
  const earlier = rounds.slice(0, -roundsShown);
  const [first, last] = [earlier[0]?.round, earlier.at(-1)?.round];
  const note =
    last === undefined
      ? ''
      : `<p class="note">${first === last ? `Round ${last} is` : `Rounds ${first} to ${last} are`} left out here: the files of a round are in its folder.</p>`;
  return make(rounds.slice(-roundsShown)) + note;
}

/** What is made of the last rounds, and below it, folded, the same of those before them. */
export function lastRounds(rounds: readonly ReportRound[], make: (some: ReportRound[]) => Html): Html {
  const [earlier, last] = [rounds.slice(0, -roundsShown), rounds.slice(-roundsShown)];
  if (earlier.length === 0) return make(last);
  const parts: Html[] = [];
  for (let start = 0; start < earlier.length; start += roundsShown) {
    const some = earlier.slice(start, start + roundsShown);
    parts.unshift(folded(`Rounds ${some[0]?.round} to ${some.at(-1)?.round}`, make(some)));
  }
  return make(last) + parts.join('\n');
}

/**
 * A row per round: scores, data added and rejected, cost, time.
 *
 * @param ended below them, a round without scores
 */
export function roundsTable(
  rounds: readonly ReportRound[],
  { all = rounds, ended }: { all?: readonly ReportRound[]; ended?: EndedRound | undefined } = {},
): Html {
  const hasCost = [...all, ...(ended ? [ended] : [])].some((round) => round.cost);
  const measure = all.at(-1)?.measure;
  const hasDirectAnswers = measure === undefined && reportsDirectAnswers(all);
  const head = [
    'Round',
    ...(hasDirectAnswers
      ? ['Validation MC', 'Validation DA', 'Test MC', 'Test DA']
      : [`Validation ${measure ?? 'MC'}`, `Test ${measure ?? 'MC'}`]),
    'Change',
    'Samples added',
    'Rejected',
    'Teacher tokens',
    ...(hasCost ? ['Cost'] : []),
    'Time',
  ];
  const rows = rounds.map((round): Cell[] => [
    String(round.round),
    ...(hasDirectAnswers
      ? [round.validation.mc, round.validation.da, round.test?.mc, round.test?.da]
      : [round.validation.mc, round.test?.mc]
    ).map(percent),
    changeInPoints(round),
    count(round.samplesAdded),
    count(sum(Object.values(round.rejectedByReason))),
    count(round.teacherTokens),
    ...(hasCost ? [cost(round)] : []),
    formatSeconds(secondsOf(round)),
  ]);
  if (ended !== undefined) {
    const scores = hasDirectAnswers ? 4 : 2;
    rows.push([
      String(ended.round),
      ...Array.from({ length: scores }, () => nothing),
      'ended the run',
      count(0),
      count(sum(Object.values(ended.rejectedByReason))),
      count(ended.teacherTokens),
      ...(hasCost ? [cost(ended)] : []),
      formatSeconds(secondsOf(ended)),
    ]);
  }
  return table(head, rows);
}

/** Number of raw answers that each filter rejected: a row per reason, a column per round that generated data. */
export function rejectedTable(rounds: readonly ReportRound[]): Html {
  const dataRounds = rounds.filter(({ rejectedByReason }) => Object.keys(rejectedByReason).length > 0);
  const reasons = [...new Set(dataRounds.flatMap(({ rejectedByReason }) => Object.keys(rejectedByReason)))].sort();
  if (reasons.length === 0) return '<p>No answer of the teacher was rejected.</p>';
  const shown = dataRounds.slice(-roundsShown);
  const rows = reasons.map((reason) => {
    const counts = dataRounds.map(({ rejectedByReason }) => valueIn(rejectedByReason, reason) ?? 0);
    return [reason, ...counts.slice(-roundsShown).map(count), count(sum(counts))];
  });
  return table(['Reason', ...shown.map(({ round }) => `Round ${round}`), 'All rounds'], rows);
}

/** The settings, as labels and values. */
export function configTable(settings: ReportInput['configSummary']): Html {
  return table(
    ['Setting', 'Value'],
    settings.map(({ label, value }) => [label, value]),
  );
}

/** The main score on the validation questions, with its interval where it is known. */
export function mainScore({ measure, validation, benchmarks }: ReportRound, set = 'validation', value = validation.mc) {
  const name = measure ?? 'multipleChoice';
  const found: ReportMeasure | undefined = benchmarks.find((one) => one.set === set && one.measure === name);
  return { name: measure ?? 'multiple choice', value, low: found?.low, high: found?.high, count: found?.count };
}

/** `60.5 to 67.3`; a dash where it is unknown. */
export function interval({ low, high }: { low?: number | undefined; high?: number | undefined }): string {
  return low === undefined || high === undefined ? nothing : `${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)}`;
}

function cost({ cost }: Pick<ReportRound, 'cost'>): string {
  return cost === undefined ? nothing : money(cost);
}

/** `1.50 USD`; an amount that would round to nothing keeps its first two digits. */
export function money({ amount, currency }: { amount: number; currency: string }): string {
  const digits = amount > 0 && amount < 0.01 ? Number(amount.toPrecision(2)).toString() : amount.toFixed(2);
  return `${digits} ${currency}`;
}

/** The working time of a round's steps, as the terminal shows it. */
export function secondsOf({ secondsByStep }: Pick<ReportRound, 'secondsByStep'>): number {
  return sum(Object.values(secondsByStep));
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
