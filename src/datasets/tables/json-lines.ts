import { z } from 'zod';
import { InputError } from '../../core/input-error.ts';
import { parseJson } from '../../core/read-json.ts';
import { piecesOf } from '../../core/regular-file.ts';
import { utf8Text } from '../../core/utf8.ts';
import type { TableRow } from './table-row.ts';

/** As much as a record of a JSON array may have. */
const LONGEST_LINE = 64 * 1024 * 1024;
const LINE_BREAK = 0x0a;
/** Made once: making a schema takes longer than reading a line by it. */
const rowSchema = z.record(z.string(), z.unknown());

/**
 * The rows of a file of one JSON object a line; empty lines are skipped.
 *
 * @param options.isFromPython NaN and infinities, which Python's `json` writes and JSON does not have, are read as null
 * @throws InputError naming the line that is not a JSON object or not UTF-8, or is longer than 64 MiB
 */
export async function* rowsOfJsonLines(file: string, { isFromPython = false } = {}): AsyncGenerator<TableRow> {
  let line = 0;
  for await (const bytes of linesOf(file)) {
    line += 1;
    const text = utf8Text(bytes, { file, line }).replace(/^\ufeff/, '');
    if (text.trim() === '') continue;
    const value = parseJson(isFromPython ? withoutNonFinite(text) : text, file, rowSchema, line);
    yield { values: new Map(Object.entries(value)), place: { line } };
  }
}

function withoutNonFinite(text: string): string {
  if (!/NaN|Infinity/.test(text)) return text;
  let isQuoted = false;
  return text.replace(/\\.|"|-?Infinity|NaN/gs, (token) => {
    if (token === '"') isQuoted = !isQuoted;
    return isQuoted || token === '"' || token.startsWith('\\') ? token : 'null';
  });
}

/** The lines of a file, without their line breaks. @throws InputError naming a line that is too long */
export async function* linesOf(file: string): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  let line = 1;
  for await (const piece of piecesOf(file)) {
    let start = 0;
    for (let end = piece.indexOf(LINE_BREAK); end >= 0; end = piece.indexOf(LINE_BREAK, start)) {
      yield parts.length === 0 ? piece.subarray(start, end) : Buffer.concat([...parts, piece.subarray(start, end)]);
      [parts, length, start] = [[], 0, end + 1];
      line += 1;
    }
    parts.push(piece.subarray(start));
    length += piece.length - start;
    if (length > LONGEST_LINE) {
      const problem = `the line is longer than ${LONGEST_LINE / 1024 / 1024} MiB`;
      throw new InputError({ file, line, problem, remedy: 'Write one JSON object a line' });
    }
  }
  if (length > 0) yield Buffer.concat(parts);
}
