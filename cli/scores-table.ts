import Table from 'cli-table3';
import type { Scores } from '../src/evaluation/evaluation-files.ts';

/** The scores of one evaluation as a table for a terminal: every measure, then its groups. */
export function formatScores(scores: Scores): string {
  const { title, blind, questions, unanswered, lenientUnanswered, weights, measures } = scores;
  const head = ['measure', 'score %', '95 % CI', 'of'];
  const table = new Table({
    head,
    colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  for (const [measure, { groups, ...overall }] of Object.entries(measures)) {
    table.push(row(measure, overall));
    for (const [way, classes] of Object.entries(groups)) {
      for (const [name, estimate] of Object.entries(classes)) table.push(row(`  ${way}: ${name}`, estimate));
    }
  }
  const lenient = lenientUnanswered === undefined ? '' : ` (by the lenient rule in ${lenientUnanswered})`;
  const facts = [
    `${title}${blind ? ', blind' : ''}: ${questions} questions, weights ${weights.slice(0, 12)}`,
    ...(unanswered > 0 ? [`No choice was found in ${unanswered} answers${lenient}; they count as wrong.`] : []),
    ...(Object.keys(measures).length === 0 ? ['The file has no answers: nothing to score.'] : []),
  ];
  return [...facts, ...(table.length > 0 ? [table.toString()] : [])].join('\n');
}

function row(name: string, { value, low, high, count }: { value: number; low: number; high: number; count: number }) {
  const percent = (share: number) => (100 * share).toFixed(1);
  return [name, percent(value), `${percent(low)} to ${percent(high)}`, count];
}
