import Table from 'cli-table3';
import pc from 'picocolors';
import { printable } from '../src/core/printable.ts';

/** Whether a person has asked for plain text (https://no-color.org), or a program reads it. */
export function usesColor(stream: object & { isTTY?: boolean } = process.stdout): boolean {
  return stream.isTTY === true && (process.env.NO_COLOR ?? '') === '' && process.env.TERM !== 'dumb';
}

/** Colors for a stream; none where `usesColor` says so. (picocolors itself colors pipes too where CI is set.) */
export function colorsFor(stream: object & { isTTY?: boolean }): ReturnType<typeof pc.createColors> {
  return pc.createColors(usesColor(stream));
}

/** A line cut at words to a width, what follows the first line indented. A word that is longer stays whole. */
export function wrapped(line: string, width: number, indent: number): string {
  if (line.length <= width) return line;
  const lines: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width);
    const next = space > indent ? space : rest.indexOf(' ', indent + 1);
    if (next < 0) break;
    lines.push(rest.slice(0, next).trimEnd());
    rest = ' '.repeat(indent) + rest.slice(next + 1);
  }
  return [...lines, rest].join('\n');
}

/**
 * A table for a terminal. Its texts may come from anywhere; what would be an order to the terminal is left out of them.
 *
 * @param options.color default: as `usesColor` says
 * @param options.compact without lines between the rows
 * @param options.textColumns how many columns are text, at the left; the others are numbers, at the right. Default: all
 */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  {
    color = usesColor(),
    compact = false,
    textColumns = head.length,
    columnWidth,
    wordWrap = columnWidth !== undefined,
  }: {
    color?: boolean | undefined;
    compact?: boolean;
    textColumns?: number;
    /** Of each column, in characters; default: as wide as its texts. */
    columnWidth?: number;
    wordWrap?: boolean;
  } = {},
): string {
  const style = { head: color ? ['cyan'] : [], border: color ? ['grey'] : [], compact };
  const widths = columnWidth !== undefined && { colWidths: head.map(() => columnWidth) };
  const colAligns = head.map((_, column) => (column < textColumns ? 'left' : 'right'));
  const table = new Table({ head: head.map(printable), colAligns, style, wordWrap, ...widths });
  for (const row of rows) table.push(row.map((cell) => (typeof cell === 'string' ? printable(cell) : cell)));
  return table.toString();
}
