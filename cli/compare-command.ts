import { stripVTControlCharacters } from 'node:util';
import type { Command } from 'commander';
import { worded } from '../src/core/worded.ts';
import type { Comparison } from '../src/evaluation/compare-models.ts';
import { integer } from './options.ts';
import { tell } from './say.ts';
import { textTable } from './text-table.ts';

interface CompareOptions {
  json: boolean;
  samples: number;
  seed: number;
}

/** Adds `dataengine compare`. */
export function addCompareCommand(program: Command): void {
  program
    .command('compare <first> <second>')
    .description('compare two evaluations question by question, with confidence intervals and significance')
    .option('--json', 'one JSON value instead of a table', false)
    .option('--samples <number>', 'resamples of the paired bootstrap', integer(1), 10_000)
    .option('--seed <number>', 'of the resamples', integer(0), 42)
    .addHelpText(
      'after',
      '\nFolders that `dataengine evaluate` wrote, or evaluate/ folders of rounds.\n\nExample:\n' +
        '  dataengine compare runs/demo/round-0/evaluate runs/demo/round-2/evaluate',
    )
    .action(async (first: string, second: string, { json, samples, seed }: CompareOptions) => {
      const { compareEvaluations } = await import('../src/evaluation/compare-models.ts');
      const comparisons = await compareEvaluations(first, second, { samples, seed });
      if (json) process.stdout.write(`${JSON.stringify(comparisons)}\n`);
      else tell(formatComparisons(comparisons, process.stdout.isTTY ? process.stdout.columns : undefined));
    });
}

/**
 * The comparisons as a table for a terminal, or in sentences where it has too few columns; scores and differences in percent.
 *
 * @param columns of the terminal; undefined: it has no end
 */
export function formatComparisons(comparisons: readonly Comparison[], columns: number | undefined): string {
  const head = [
    'set',
    'measure',
    'questions',
    'first %',
    'second %',
    'difference (95 % CI)',
    'only first',
    'only second',
    'p',
    'p (Holm)',
  ];
  const rows = comparisons.map((comparison) => {
    const { set, measure, count, first, second, difference, onlyFirst, onlySecond } = comparison;
    const { value, low, high } = difference;
    return [
      set,
      worded(measure),
      count,
      percent(first),
      percent(second),
      `${signed(value)} (${signed(low)} to ${signed(high)})`,
      onlyFirst ?? '–',
      onlySecond ?? '–',
      formatP(comparison.pValue),
      formatP(comparison.adjustedPValue),
    ];
  });
  const leftOut = comparisons.filter((comparison) => comparison.leftOut > 0);
  const notes = leftOut.map(
    ({ set, measure, leftOut }) =>
      `${set}, ${worded(measure)}: ${leftOut} questions that only one evaluation has are left out.`,
  );
  const byImage = comparisons.filter(({ images }) => images !== undefined);
  const byImageNotes = byImage.map(
    ({ set, measure, count, images }) =>
      `${set}, ${worded(measure)}: ${count} questions about ${images} images; interval and p are by image.`,
  );
  const otherwise = new Set(comparisons.flatMap(({ set, rankedOtherwise }) => (rankedOtherwise ? [set] : [])));
  const rankingNotes = [...otherwise].map(
    (set) =>
      `${set}: one side ranked its choices by their losses, the other wrote them; the scores differ by that too.`,
  );
  const rescored = new Set(comparisons.flatMap(({ set, scoredOtherwise }) => (scoredOtherwise ? [set] : [])));
  const scoringNotes = [...rescored].map(
    (set) => `${set}: the two sides were scored by different programs or measures.`,
  );
  const table = textTable(head, rows, { textColumns: 2, compact: true, columns: Number.POSITIVE_INFINITY });
  const width = stripVTControlCharacters(table).indexOf('\n');
  const figures = columns === undefined || width <= columns ? table : comparisons.map(inSentences).join('\n');
  return [figures, ...notes, ...byImageNotes, ...rankingNotes, ...scoringNotes].join('\n');
}

/** For a terminal that the table is too wide for. */
function inSentences(comparison: Comparison): string {
  const { set, measure, count, first, second, difference, onlyFirst, onlySecond, pValue, adjustedPValue } = comparison;
  const { value, low, high } = difference;
  const p = [`p ${formatP(pValue)}`, ...(adjustedPValue === undefined ? [] : [`by Holm ${formatP(adjustedPValue)}`])];
  return [
    `${set}, ${worded(measure)}, ${count} questions`,
    `  ${percent(first)} % and ${percent(second)} %: ${signed(value)} points (95 % CI ${signed(low)} to ${signed(high)}), ${p.join(', ')}`,
    ...(onlyFirst === undefined
      ? []
      : [`  right in the first alone: ${onlyFirst}; in the second alone: ${onlySecond}`]),
  ].join('\n');
}

function formatP(pValue: number | undefined): string {
  if (pValue === undefined) return '–';
  return pValue < 0.001 ? '< 0.001' : pValue.toFixed(3);
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function signed(share: number): string {
  return `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(1)}`;
}
