/** Sentences for a person: on a terminal they break between words, where the terminal itself would break them anywhere. */
import { wrapped } from './text-table.ts';

export type TextStream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number };

/** Writes a text and a line feed. Default: to standard error, which leaves the other to results. */
export function say(text: string, stream: TextStream = process.stderr): void {
  stream.write(`${fitted(text, stream)}\n`);
}

/** The text within the columns of a terminal, each line's continuation indented by two; for a pipe or a file as it is. */
export function fitted(text: string, { isTTY, columns = 0 }: TextStream): string {
  if (isTTY !== true || columns < 20) return text;
  return text
    .split('\n')
    .map((line) => wrapped(line, columns, line.length - line.trimStart().length + 2))
    .join('\n');
}
