import Table from 'cli-table3';
import pc from 'picocolors';
import { wrapped } from '../scripts/setup/terminal-text.mjs';
import { printable } from '../src/core/printable.ts';

/** Whether a person has asked for plain text (https://no-color.org), or a program reads it. */
export function usesColor(stream: object & { isTTY?: boolean } = process.stdout): boolean {
  return stream.isTTY === true && (process.env.NO_COLOR ?? '') === '' && process.env.TERM !== 'dumb';
}

/** Colors for a stream; none where `usesColor` says so. (picocolors itself colors pipes too where CI is set.) */
export function colorsFor(stream: object & { isTTY?: boolean }): ReturnType<typeof pc.createColors> {
  return pc.createColors(usesColor(stream));
}

/**
 * A table for a terminal. Its texts may come from anywhere; what would be an order to the terminal is left out of them.
 *
 * @param options.color default: as `usesColor` says
 * @param options.columns that it may take: wider texts are broken between words. Default: those of standard output
 * @param options.compact without lines between the rows
 * @param options.textColumns how many columns are text, at the left; the others are numbers, at the right. Default: all
 */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  {
    color = usesColor(),
    columns = process.stdout.isTTY ? process.stdout.columns : undefined,
    compact = false,
    textColumns = head.length,
  }: { color?: boolean | undefined; columns?: number | undefined; compact?: boolean; textColumns?: number } = {},
): string {
  const style = { head: color ? ['cyan'] : [], border: color ? ['grey'] : [], compact };
  const colAligns = head.map((_, column) => (column < textColumns ? 'left' : 'right'));
  const cells = [head, ...rows].map((row) => row.map((cell) => printable(String(cell))));
  const widest = columns === undefined ? Number.POSITIVE_INFINITY : widestText(cells, textColumns, columns);
  const [first = [], ...others] = cells.map((row) =>
    row.map((cell, column) => (column < textColumns ? folded(cell, widest) : cell)),
  );
  const table = new Table({ head: first, colAligns, style });
  table.push(...others);
  return table.toString();
}

/** Of a column: its border and the blanks beside its text. */
const columnBorder = '│  '.length;
const narrowestText = 12;

/** How wide a text may be, so that the table fits: the widest columns are made narrower. */
function widestText(cells: readonly string[][], textColumns: number, columns: number): number {
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => widthOf(row[column] ?? ''))));
  const total = (widest: number) =>
    widths.reduce(
      (sum, width, column) => sum + columnBorder + (column < textColumns ? Math.min(width, widest) : width),
      '│'.length,
    );
  let widest = Math.max(narrowestText, ...widths);
  while (widest > narrowestText && total(widest) > columns) widest -= 1;
  return widest;
}

function widthOf(text: string): number {
  return Math.max(...text.split('\n').map((line) => line.length));
}

/** A text broken between words to a width; a word that is longer, such as a path, within the word. */
function folded(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  return text
    .split('\n')
    .map((paragraph) =>
      paragraph
        .split(' ')
        .flatMap((word) => pieces(word, width))
        .join(' '),
    )
    .map((paragraph) => wrapped(paragraph, width, 0))
    .join('\n');
}

function pieces(word: string, width: number): string[] {
  const parts: string[] = [];
  for (let rest = word; ; ) {
    if (rest.length <= width) return [...parts, rest];
    // Behind the last slash that fits.
    const slash = rest.lastIndexOf('/', width - 1) + 1;
    const end = slash > 0 ? slash : width;
    parts.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
}
