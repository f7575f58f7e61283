import { formatSeconds } from '../src/core/durations.ts';
import { directAnswersDiffer } from '../src/evaluation/direct-answers.ts';
import type { RoundSummary } from '../workflows/inputs.ts';
import type { DataEngineResult } from '../workflows/messages.ts';
import { textTable } from './text-table.ts';

interface TableOptions {
  color?: boolean;
  /** Of the terminal. Default: 80 */
  columns?: number;
}

/** The table of rounds for a terminal: what a person looks for first; the report has the rest. Then the error of each type. */
export function formatRounds(rounds: RoundSummary[], options: TableOptions = {}): string {
  return [scoreTable(rounds, options), questionTypeTable(rounds, options)].filter((table) => table !== '').join('\n');
}

/** `Finished: 2 of 2 rounds`, or after which round it ended and why. */
export function describeEnd({ rounds, stop }: Pick<DataEngineResult, 'rounds' | 'stop'>): string {
  const done = rounds.at(-1)?.round ?? 0;
  if (stop.rule === 'rounds') return `Finished: ${done === 0 ? 'round 0' : `${done} of ${done} rounds`}`;
  return `Finished: after round ${done}, as ${stop.reason}`;
}

function scoreTable(rounds: RoundSummary[], { color }: TableOptions): string {
  const measure = rounds.at(-1)?.measure ?? 'MC';
  const hasTest = rounds.some((row) => row.testMultipleChoice !== undefined);
  const hasDirectAnswers = rounds.at(-1)?.measure === undefined && directAnswersDiffer(rounds);
  // Five columns at most, however long their texts: they fit 80 characters.
  const head = [
    'round',
    `${measure} %`,
    ...(hasDirectAnswers ? ['DA %'] : []),
    ...(hasTest ? [`test ${measure} %`] : []),
    ...(hasDirectAnswers ? [] : ['samples added']),
    'time',
  ];
  const rows = rounds.map((row) => [
    row.gate?.accepted === false ? `${row.round} (set aside)` : row.round,
    decimal(row.multipleChoice),
    ...(hasDirectAnswers ? [decimal(row.directAnswer)] : []),
    ...(hasTest ? [decimal(row.testMultipleChoice)] : []),
    ...(hasDirectAnswers ? [] : [row.samplesAdded]),
    formatSeconds(Object.values(row.seconds).reduce((sum, seconds) => sum + seconds, 0)),
  ]);
  return textTable(head, rows, { color, textColumns: 0, compact: true });
}

const longestTypeName = 40;
/** What a column of a round takes, with its border. */
const roundColumn = ' round 10 │'.length;

function questionTypeTable(rounds: RoundSummary[], { color, columns = 80 }: TableOptions): string {
  const known = rounds.filter((row) => row.errorByType !== undefined);
  const questionTypes = [...new Set(known.flatMap((row) => Object.keys(row.errorByType ?? {})))].sort();
  if (questionTypes.length === 0) return '';
  const title = 'error by question type';
  const names = Math.max(title.length, ...questionTypes.map((name) => shortened(name).length));
  const fitting = Math.max(1, Math.floor((columns - names - '│  │'.length) / roundColumn));
  const shown = known.slice(-fitting);
  const head = [title, ...shown.map((row) => `round ${row.round}`)];
  const rows = questionTypes.map((questionType) => [
    shortened(questionType),
    ...shown.map((row) => percent(row.errorByType?.[questionType])),
  ]);
  return textTable(head, rows, { color, textColumns: 1, compact: true });
}

function shortened(name: string): string {
  return name.length <= longestTypeName ? name : `${name.slice(0, longestTypeName - 1)}…`;
}

function decimal(value: number | undefined): string {
  return value === undefined ? '–' : value.toFixed(1);
}

function percent(share: number | undefined): string {
  return share === undefined ? '–' : `${(share * 100).toFixed(0)} %`;
}
