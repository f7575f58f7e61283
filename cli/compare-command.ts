import type { Command } from 'commander';
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
      else tell(formatComparisons(comparisons));
    });
}

/** The comparisons as a table for a terminal; scores and differences in percent. */
function formatComparisons(comparisons: readonly Comparison[]): string {
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
      measure,
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
      `${set}, ${measure}: ${leftOut} questions that only one evaluation has are left out.`,
  );
  const byImage = comparisons.filter(({ images }) => images !== undefined);
  const byImageNotes = byImage.map(
    ({ set, measure, count, images }) =>
      `${set}, ${measure}: ${count} questions about ${images} images; interval and p are by image.`,
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
  const table = textTable(head, rows, { textColumns: 2, compact: true });
  return [table, ...notes, ...byImageNotes, ...rankingNotes, ...scoringNotes].join('\n');
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
