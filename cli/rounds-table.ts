import { directAnswersDiffer } from '../src/evaluation/direct-answers.ts';
import { formatSeconds } from '../src/report/tables.ts';
import { decisionOf, forgottenOf } from '../workflows/details.ts';
import type { RoundSummary } from '../workflows/inputs.ts';
import { textTable } from './text-table.ts';

/** The table of rounds for a terminal: scores, samples, tokens and time, then the error of each question type by round. */
export function formatRounds(rounds: RoundSummary[], options: { color?: boolean } = {}): string {
  return [scoreTable(rounds, options), questionTypeTable(rounds, options)].filter((table) => table !== '').join('\n');
}

function scoreTable(rounds: RoundSummary[], options: { color?: boolean }): string {
  const measure = rounds.at(-1)?.measure;
  const hasDirectAnswers = measure === undefined && directAnswersDiffer(rounds);
  const head = [
    'round',
    ...(hasDirectAnswers
      ? ['MC %', 'DA %', 'test MC %', 'test DA %']
      : [`${measure ?? 'MC'} %`, `test ${measure ?? 'MC'} %`]),
    'bad cases',
    'samples added',
    'rejected',
    'teacher tokens',
    'time',
    'forgotten',
    'built upon',
  ];
  const rows = rounds.map((row) => [
    row.round,
    ...(hasDirectAnswers
      ? [row.multipleChoice, row.directAnswer, row.testMultipleChoice, row.testDirectAnswer]
      : [row.multipleChoice, row.testMultipleChoice]
    ).map(decimal),
    row.badCases,
    row.samplesAdded,
    row.samplesRejected,
    row.teacherTokens.prompt + row.teacherTokens.completion,
    formatSeconds(Object.values(row.seconds).reduce((sum, seconds) => sum + seconds, 0)),
    forgottenOf(row),
    decisionOf(row),
  ]);
  return textTable(head, rows, { ...options, textColumns: 0, compact: true });
}

function questionTypeTable(rounds: RoundSummary[], options: { color?: boolean }): string {
  const detailed = rounds.filter((row) => row.errorByType !== undefined);
  const questionTypes = [...new Set(detailed.flatMap((row) => Object.keys(row.errorByType ?? {})))].sort();
  if (questionTypes.length === 0) return '';
  const head = ['error by question type', ...detailed.map((row) => `round ${row.round}`)];
  const rows = questionTypes.map((questionType) => [
    questionType,
    ...detailed.map((row) => percent(row.errorByType?.[questionType])),
  ]);
  return textTable(head, rows, { ...options, textColumns: 1, compact: true });
}

function decimal(value: number | undefined): string {
  return value === undefined ? '–' : value.toFixed(1);
}

function percent(share: number | undefined): string {
  return share === undefined ? '–' : `${(share * 100).toFixed(0)} %`;
}
