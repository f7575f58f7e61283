import { printable } from '../src/core/printable.ts';
import type { Scores } from '../src/evaluation/evaluation-files.ts';
import { describeJudge } from '../src/evaluation/judge/describe-judge.ts';
import { tell } from './say.ts';
import { textTable } from './text-table.ts';

const rankingNotes = {
  'prompt-logprobs': 'Choices are ranked by the log-probabilities of the prompt.',
  written: 'Choices are those that the model wrote: the server gives no log-probabilities of prompts.',
};

/** Prints the scores of an evaluation, and where its files are. */
export function printScores(scores: Scores, folder: string): void {
  tell(`${formatScores(scores)}\nIn ${folder}`);
}

/** The scores of one evaluation as a table for a terminal: every measure, then its groups. */
export function formatScores(scores: Scores): string {
  const { title, blind, questions, unanswered, lenientUnanswered, weights, measures, endpoint, ranking, judge } =
    scores;
  const { combined = {}, imported } = scores;
  const head = ['measure', 'score %', '95 % CI', 'of'];
  const rows: (string | number)[][] = [];
  for (const [measure, { groups, ...overall }] of Object.entries(measures)) {
    rows.push(row(measure, overall));
    for (const [way, classes] of Object.entries(groups)) {
      for (const [name, estimate] of Object.entries(classes)) rows.push(row(`  ${way}: ${name}`, estimate));
    }
  }
  for (const [name, { groups = {}, ...overall }] of Object.entries(combined)) {
    rows.push(combinedRow(name, overall));
    for (const [way, classes] of Object.entries(groups)) {
      for (const [group, value] of Object.entries(classes)) {
        rows.push(combinedRow(`  ${way}: ${group}`, { ...overall, value }));
      }
    }
  }
  const lenient = lenientUnanswered === undefined ? '' : ` (by the lenient rule in ${lenientUnanswered})`;
  const facts = [
    `${title}${blind ? ', blind' : ''}: ${questions} questions, ${endpoint === undefined ? 'weights' : 'fingerprint'} ${weights.slice(0, 12)}`,
    ...(endpoint === undefined ? [] : [`Answered by ${endpoint.model} at ${endpoint.url}.`]),
    ...(imported === undefined
      ? []
      : [`Answers are results of ${imported.program} (${imported.results}, ${imported.measure}).`]),
    ...(ranking === undefined ? [] : [rankingNotes[ranking]]),
    ...(unanswered > 0 ? [`No choice was found in ${unanswered} answers${lenient}; they count as wrong.`] : []),
    ...(judge === undefined ? [] : describeJudge(judge).map(({ label, text }) => `${label}: ${text}`)),
    ...(Object.keys(measures).length === 0 ? ['The file has no answers: nothing to score.'] : []),
  ];
  const table = rows.length > 0 ? [textTable(head, rows, { textColumns: 1, compact: true })] : [];
  return [...facts.map(printable), ...table].join('\n');
}

function row(name: string, { value, low, high, count }: { value: number; low: number; high: number; count: number }) {
  const percent = (share: number) => (100 * share).toFixed(1);
  return [name, percent(value), `${percent(low)} to ${percent(high)}`, count];
}

/** Points are as the benchmark's authors print them, not percent. */
function combinedRow(name: string, { value, unit }: { value: number; unit: 'share' | 'points' }) {
  return [name, unit === 'share' ? (100 * value).toFixed(1) : `${value.toFixed(1)} points`, '', ''];
}
