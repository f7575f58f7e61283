import { stripVTControlCharacters } from 'node:util';

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/**
 * A text from outside (a teacher's answer, a question, a file's name, an error) as it may be shown on a terminal: without
 * escape sequences, control characters (C0 and C1; tabs and line feeds stay) and marks that turn the direction of text. A
 * terminal would take them as orders: to fill the clipboard (OSC 52), to rename the window, to overwrite other lines.
 */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(controls, '');
}

/** The same value with all its texts, and the names of its fields, as `printable` gives them. */
export function printableTexts<T>(value: T): T {
  if (typeof value === 'string') return printable(value) as T;
  if (Array.isArray(value)) return value.map(printableTexts) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, content]) => [printable(name), printableTexts(content)]);
  return Object.fromEntries(entries) as T;
}

/** What this program itself writes on a terminal: colors, and moves of the cursor within a display that is drawn again. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
const own = /\u001b\[(?:[0-9;]*[mABCDEFGHJKfsu]|\?(?:7|25|2026)[hl])|\u001b[78]|[\b\t\n\r]/g;
// Up to its end mark, or to the end of the text: what is in between is not to be read as text.
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
const orders = /(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?/g;

/**
 * Has a stream drop every control character and escape sequence that this program itself does not use: whatever text gets
 * there, and by whatever way. Texts of others go through `printable` before, where they are formatted.
 */
export function guardTerminal(stream: NodeJS.WriteStream): void {
  const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
  stream.write = ((chunk: unknown, ...rest: unknown[]) =>
    write(typeof chunk === 'string' ? withoutOrders(chunk) : chunk, ...rest)) as typeof stream.write;
}

function withoutOrders(text: string): string {
  let kept = '';
  let end = 0;
  const rest = text.replace(orders, '');
  for (const match of rest.matchAll(own)) {
    kept += rest.slice(end, match.index).replace(controls, '') + match[0];
    end = match.index + match[0].length;
  }
  return kept + rest.slice(end).replace(controls, '');
}
