/** Rows of the first sheet of an Excel file (`.xlsx`), such as VLMEvalKit writes. */
import { readFile, stat } from 'node:fs/promises';
import { unzipSync, zipSync } from 'fflate';
import { InputError } from '../../core/input-error.ts';
import type { TableRow } from './table-row.ts';

/** Of the file, and of all that it unpacks to. */
const LIMITS = { packed: 32 * 2 ** 20, unpacked: 192 * 2 ** 20 };

/** Whether a file starts as a ZIP archive does. */
export function isZip(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, 4)).toString('hex') === '504b0304';
}

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
        values.set(name, cell instanceof Date ? cell.toISOString() : cell);
    }
    yield { values, place: { line: index + 1 } };
  }
}

async function readFirstSheet(file: string) {
  const { size } = await stat(file).catch(() => {
    throw new InputError({ file, problem: 'is missing', remedy: 'Name a file that is there' });
  });
  if (size > LIMITS.packed) throw tooLarge(file, `has ${megabytes(size)} MB`, LIMITS.packed);
  const unpacked = unpack(file, await readFile(file));
  const { readSheet } = await import('read-excel-file/node');
  try {
    // Packed again without compression: the reader would trust what the archive says of its own sizes.
    return await readSheet(Buffer.from(zipSync(unpacked, { level: 0 })));
  } catch (error) {
    throw notExcel(file, error);
  }
}

/** The sheets and their texts, no images. What is longer than the archive says is cut there. */
function unpack(file: string, content: Uint8Array): Record<string, Uint8Array> {
  let total = 0;
  let unpacked: Record<string, Uint8Array>;
  try {
    unpacked = unzipSync(content, {
      filter: ({ name, originalSize }) => {
        if (!/\.(xml|rels)$/i.test(name)) return false;
        total += originalSize;
        if (total > LIMITS.unpacked) throw tooLarge(file, 'unpacks to more', LIMITS.unpacked);
        return true;
      },
    });
  } catch (error) {
    throw error instanceof InputError ? error : notExcel(file, error);
  }
  return unpacked;
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
