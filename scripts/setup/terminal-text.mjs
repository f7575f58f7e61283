/**
 * Sentences within the columns of a terminal, broken between words where the terminal would break them anywhere. Plain Node:
 * what runs before anything is installed speaks to people, too.
 */
import { stripVTControlCharacters } from 'node:util';

/** A narrower one is no terminal that a person reads. */
const fewestColumns = 20;

/**
 * A line cut at words to a width, what follows the first line indented. A word that is longer stays whole.
 *
 * @param {string} line
 * @param {number} width in characters
 * @param {number} indent of what follows, in characters
 * @returns {string}
 */
export function wrapped(line, width, indent) {
  if (line.length <= width) return line;
  const lines = [];
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
 * How wide a line on a stream may be: as wide as its terminal. A pipe and a file have no width.
 *
 * @param {{ isTTY?: boolean, columns?: number }} stream
 * @returns {number} in characters, or infinity
 */
export function columnsOf({ isTTY, columns = 0 }) {
  return isTTY !== true || columns < fewestColumns ? Number.POSITIVE_INFINITY : columns;
}

/**
 * A text within the columns of a terminal, each line's continuation indented by two; for a pipe or a file as it is. A line of a table
 * stays whole.
 *
 * @param {string} text
 * @param {{ isTTY?: boolean, columns?: number }} stream
 * @returns {string}
 */
export function fitted(text, stream) {
  const columns = columnsOf(stream);
  return text
    .split('\n')
    .map((line) => {
      const shown = stripVTControlCharacters(line);
      if (shown.length <= columns || /^[┌├│└]/.test(shown)) return line;
      return wrapped(line, columns, line.length - line.trimStart().length + 2);
    })
    .join('\n');
}
