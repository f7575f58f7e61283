/** Sections that the cards of datasets and of models share. */
import type { DatasetVersion } from './versions.ts';

/** A score of a round's model. */
export interface CardScore {
  round: number;
  /** Such as `A-OKVQA, validation`. */
  of: string;
  measure: string;
  /** Shares, 0 to 1; low and high of the 95 % confidence interval. */
  value: number;
  low: number;
  high: number;
  /** Questions. */
  count: number;
}

/** What each round has added, as a Markdown table. */
export function lineageTable(lineage: readonly DatasetVersion[]): string {
  const rows = lineage.map(
    ({ id, round, files, teacher, promptVersion, rejected, cost }) =>
      `| ${round} | \`${id.slice(0, 12)}\` | ${sum(files.map((file) => file.samples))} | ${rejected} | ${teacher} | ${promptVersion} | ${cost.promptTokens + cost.completionTokens} |`,
  );
  return `| round | version | samples | rejected | teacher | prompt | teacher's tokens |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
}

/** Scores with their intervals, as a section of Markdown; empty where there are none. */
export function scoresSection(title: string, scores: readonly CardScore[]): string {
  if (scores.length === 0) return '';
  const percent = (share: number) => (100 * share).toFixed(1);
  const rows = scores.map(
    ({ round, of, measure, value, low, high, count }) =>
      `| ${round} | ${of} | ${measure} | ${percent(value)} % | ${percent(low)} to ${percent(high)} % | ${count} |`,
  );
  return `
## ${title}

| round | of | measure | score | 95 % interval | questions |
| ---: | --- | --- | ---: | --- | ---: |
${rows.join('\n')}
`;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
