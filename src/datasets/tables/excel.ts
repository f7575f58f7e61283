/** Rows of the first sheet of an Excel file (`.xlsx`), such as VLMEvalKit writes. */
import { unzipSync, zipSync } from 'fflate';
import { InputError } from '../../core/input-error.ts';
import { readRegularFile } from '../../core/regular-file.ts';
import type { TableRow } from './table-row.ts';

/** Of the file, and of all that it unpacks to. */
const LIMITS = { packed: 32 * 2 ** 20, unpacked: 192 * 2 ** 20 };
/** Of all cells up to the last row and column: the reader fills in the empty ones. */
const MOST_CELLS = 2 ** 24;

/**
 * The rows below the first one, which has the names of the columns; empty cells are left out. The whole sheet is in memory.
 *
 * @throws InputError for a file that is no Excel file, or unpacks to more than the limit
 */
export async function* rowsOfExcel(file: string): AsyncGenerator<TableRow> {
  const sheet = await readFirstSheet(file);
  const names = (sheet[0] ?? []).map((cell) => (cell === null ? '' : String(cell)));
  for (const [index, cells] of sheet.entries()) {
    if (index === 0 || cells.every((cell) => cell === null)) continue;
    const values = new Map<string, unknown>();
    for (const [column, cell] of cells.entries()) {
      const name = names[column] ?? '';
      if (name !== '' && cell !== null && !values.has(name))
        values.set(name, cell instanceof Date ? cell.toJSON() : cell);
    }
    yield { values, place: { line: index + 1 } };
  }
}

async function readFirstSheet(file: string) {
  const unpacked = unpack(file, await readRegularFile(file, LIMITS.packed));
  const { readSheet } = await import('read-excel-file/node');
  try {
    for (const part of Object.values(unpacked)) requireFewCells(file, part);
    // Packed again without compression: the reader would trust what the archive says of its own sizes.
    return await readSheet(Buffer.from(zipSync(unpacked, { level: 0 })));
  } catch (error) {
    throw error instanceof InputError ? error : notExcel(file, error);
  }
}

/** The sheets and their texts, no images. What is longer than the archive says is cut there. */
function unpack(file: string, content: Uint8Array): Record<string, Uint8Array> {
  let total = 0;
  try {
    return unzipSync(content, {
      filter: ({ name, size, originalSize }) => {
        if (!/\.(xml|rels)$/i.test(name)) return false;
        // What is not compressed is as long as it is packed, whatever the archive says.
        total += Math.max(size, originalSize);
        if (total > LIMITS.unpacked) throw tooLarge(file, 'unpacks to more', LIMITS.unpacked);
        return true;
      },
    });
  } catch (error) {
    throw error instanceof InputError ? error : notExcel(file, error);
  }
}

const startOfRowOrCell = /<(?:[\w.-]+:)?(?:row|c)(?=[\s/>])((?:[^"'<>]|"[^"<]*"|'[^'<]*')*)>/g;
const placeAttribute = /\sr\s*=\s*(?:"([^"]*)"|'([^']*)')/;

/** @throws InputError for a row or cell so far from the others that filling in what is between would take all memory */
function requireFewCells(file: string, part: Uint8Array): void {
  let [lastRow, lastColumn] = [1, 1];
  const text = Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('latin1');
  for (const [, attributes = ''] of text.matchAll(startOfRowOrCell)) {
    const [, double, place = double] = placeAttribute.exec(attributes) ?? [];
    if (place === undefined) continue;
    const [, column = '', row = 'Infinity'] = /^([A-Z]{0,3})(\d{1,7})$/.exec(place) ?? [];
    lastRow = Math.max(lastRow, Number(row));
    const columnNumber = [...column].reduce((sum, letter) => 26 * sum + letter.charCodeAt(0) - 64, 0);
    lastColumn = Math.max(lastColumn, columnNumber);
    if (lastRow * lastColumn <= MOST_CELLS) continue;
    const problem = `has a row or cell at '${place}', and an Excel file may have ${MOST_CELLS} cells`;
    throw new InputError({ file, problem, remedy: 'Save the sheet as CSV' });
  }
}

const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20);

function tooLarge(file: string, problem: string, limit: number): InputError {
  return new InputError({
    file,
    problem: `${problem}, and an Excel file may have ${megabytes(limit)} MB`,
    remedy: 'Save the sheet as CSV',
  });
}

function notExcel(file: string, error: unknown): InputError {
  const problem = `is no Excel file that can be read (${error instanceof Error ? error.message : String(error)})`;
  return new InputError({ file, problem, remedy: 'Save the sheet as CSV' });
}
