/** `dataengine data split`: one file of questions becomes training, validation and test data. */
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { printable } from '../src/core/printable.ts';
import { valueIn } from '../src/core/records.ts';
import { type QuestionColumn, questionColumns } from '../src/datasets/own-questions.ts';
import { defaultFineBits, type Split, sideNames, splitManifest } from '../src/datasets/split/split-manifest.ts';
import { type TableFormat, tableFormats } from '../src/datasets/tables/index.ts';
import { describeCounts } from '../src/round/steps.ts';
import { integer } from './options.ts';
import { createProgressDisplay } from './progress-display.ts';
import { tell } from './say.ts';
import { textTable } from './text-table.ts';

type Columns = Partial<Record<QuestionColumn, string>>;

interface SplitOptions {
  images?: string;
  output: string;
  validation: number;
  test: number;
  seed: number;
  format?: TableFormat;
  column: Columns;
  similar: number;
  skipInvalid: boolean;
  replace: boolean;
}

/** Adds `dataengine data split`. */
export function addDataSplitCommand(data: Command, signal: AbortSignal): void {
  data
    .command('split <questions>')
    .description('divide a file of questions into train, validation and test by image; near duplicates stay together')
    .option('--images <folder>', 'where the images are that the file names')
    .requiredOption('--output <folder>', 'a folder that does not exist yet')
    .option('--validation <amount>', 'a share of the questions below 1, or their number', amount, 0.1)
    .option('--test <amount>', 'the same of the test data; 0 for none', amount, 0.1)
    .option('--seed <number>', 'another one gives other sides', integer(0), 1)
    .addOption(new Option('--format <name>', 'default: found by the content').choices(tableFormats))
    .option('--column <name=column>', `a column's own name, for ${questionColumns.join(', ')}; repeatable`, column, {})
    .option('--similar <bits>', 'how many of 256 bits may differ between near duplicates', integer(0), defaultFineBits)
    .option('--skip-invalid', 'leave out rows that do not fit, and count them', false)
    .option('--replace', 'replace what an earlier split wrote into the folder', false)
    .addHelpText(
      'after',
      '\nExample:\n  dataengine data split questions.csv --images photos --output split --validation 0.1 --test 0.1',
    )
    .action(async (file: string, { column: columns, similar, ...options }: SplitOptions) => {
      const { splitQuestions } = await import('../src/datasets/split/split-questions.ts');
      const display = createProgressDisplay();
      const split = await splitQuestions({
        ...options,
        file,
        columns,
        nearDuplicateBits: similar,
        signal,
        onProgress: (done) => display.show('data split', { phase: 'looking at images', step: done }),
      }).finally(() => display.stop());
      tell(describeSplit(split, options.output));
    });
}

function amount(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && (value < 1 || Number.isSafeInteger(value))) return value;
  throw new InvalidArgumentError('Give a share below 1, such as 0.1, or a whole number of questions.');
}

function column(text: string, earlier: Columns): Columns {
  const [name = '', given = ''] = text.split(/=(.*)/s);
  if (!(questionColumns as string[]).includes(name) || given === '') {
    throw new InvalidArgumentError(`Give one of ${questionColumns.join(', ')}, such as type=category.`);
  }
  return { ...earlier, [name as QuestionColumn]: given };
}

function describeSplit(split: Split, output: string): string {
  const sides = sideNames.flatMap((name) => (split.sides[name] === undefined ? [] : [{ name, ...split.sides[name] }]));
  const total = sides.reduce((sum, { questions }) => sum + questions, 0);
  const shares = sides.map(({ questions }) => `${questions} (${((100 * questions) / total).toFixed(1)} %)`);
  const types = [...new Set(sides.flatMap(({ byType }) => Object.keys(byType)))].sort();
  const rows = [
    ['questions', ...shares],
    ['images', ...sides.map((side) => side.images)],
    ...types.map((type) => [type, ...sides.map(({ byType }) => valueIn(byType, type) ?? 0)]),
  ];
  const lines = [textTable(['', ...sides.map(({ name }) => name)], rows), ...notesOf(split, types)];
  return [...lines, `Wrote ${printable(join(output, splitManifest))}.`].join('\n');
}

function notesOf({ nearDuplicates, nearDuplicateBits, tooFew, leftOut }: Split, types: readonly string[]): string[] {
  const notes: string[] = [];
  if (types.length === 1 && types[0] === 'unclassified') {
    notes.push('The questions have no types: only their number was divided by the shares.');
  }
  if (nearDuplicates.length > 0) {
    const images = nearDuplicates.reduce((sum, group) => sum + group.images.length, 0);
    notes.push(`${images} images look nearly like another: ${nearDuplicates.length} groups, each on one side.`);
  }
  const strict = nearDuplicates.filter(({ bits }) => bits < nearDuplicateBits).length;
  if (strict > 0) {
    notes.push(
      `So many images look alike that ${strict} of these groups were made more strictly: similar images may be on two sides.`,
    );
  }
  for (const { type, groups, missingIn } of tooFew) {
    notes.push(
      `${printable(type)}: ${groups} images or groups are too few for all sides: none in ${missingIn.join(' and ')}.`,
    );
  }
  if (Object.keys(leftOut).length > 0) notes.push(`Rows that were left out: ${describeCounts(leftOut)}.`);
  return notes;
}
