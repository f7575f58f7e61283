/** Files that hold a record a row, whatever their format: each row as the values of its named columns. */
import { z } from 'zod';
import { InputError, type InputProblem } from '../../core/input-error.ts';
import { openRegularFile } from '../../core/regular-file.ts';
import { refuseUtf16 } from '../../core/utf8.ts';
import { streamRecords } from '../stream-records.ts';
import { rowsOfJsonLines } from './json-lines.ts';
import { rowsOfParquet } from './parquet.ts';
import { rowsOfSeparatedText } from './separated-text.ts';
import { formatOfShards, isFolder } from './shards.ts';
import type { TableRow } from './table-row.ts';
import { rowsOfWebDataset } from './webdataset.ts';

const rowsOf = {
  json: rowsOfJson,
  jsonl: rowsOfJsonLines,
  csv: (file: string) => rowsOfSeparatedText(file, ','),
  tsv: (file: string) => rowsOfSeparatedText(file, '\t'),
  parquet: rowsOfParquet,
  webdataset: rowsOfWebDataset,
} satisfies Record<string, (file: string) => AsyncIterable<TableRow>>;

export { isEmptyList, isThere, rowError, type TableRow } from './table-row.ts';
export type TableFormat = keyof typeof rowsOf;

export const tableFormats = Object.keys(rowsOf) as [TableFormat, ...TableFormat[]];

/**
 * The rows of a file, in its order; a few of them are in memory.
 *
 * @param format default: `formatOf` the file
 * @throws InputError naming file and row, for a file that is missing or is not of the format
 */
export async function* tableRows(file: string, format?: TableFormat): AsyncGenerator<TableRow> {
  yield* rowsOf[format ?? (await formatOf(file))](file);
}

/** A first line that a record of JSON lines can't be. */
const isStartOfObject = /^\{[\t ]*(?:"[^"\n]*"[\t ]*:[\t ]*[[{]?[\t ]*)?\r?\n/;

/** Enough for the names of the columns. */
const HEAD = 64 * 1024;

/**
 * The format of a file by its content: Parquet and tar by their marks, JSON and JSON lines by the first character, else by what
 * separates the names in the first line. That of a folder is by the names in it.
 *
 * @throws InputError for a file that is missing, or is none of these
 */
export async function formatOf(file: string): Promise<TableFormat> {
  if (await isFolder(file)) return formatOfShards(file);
  const head = await readHead(file);
  if (head.subarray(0, 4).toString('latin1') === 'PAR1') return 'parquet';
  if (head.subarray(257, 262).toString('latin1') === 'ustar') return 'webdataset';
  const packed = packing(head);
  if (packed !== undefined) throw new InputError({ file, ...packed });
  refuseUtf16(head, file);
  const text = head
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .trimStart();
  if (text.startsWith('[')) return 'json';
  if (isStartOfObject.test(text)) {
    throw new InputError({
      file,
      problem: 'is one JSON object',
      remedy: 'Write the list of its records alone, or one a line',
    });
  }
  if (text.startsWith('{')) return 'jsonl';
  const [names = ''] = text.split(/\r?\n/, 1);
  if (names.includes('\t')) return 'tsv';
  if (names.includes(',')) return 'csv';
  throw new InputError({ file, ...unknownFormat(text) });
}

/** By the first bytes: what is packed may have a comma or a tab in its first line, too. */
function packing(head: Buffer): Pick<InputProblem, 'problem' | 'remedy'> | undefined {
  const mark = head.subarray(0, 4).toString('hex');
  if (mark.startsWith('1f8b')) return { problem: 'is compressed with gzip', remedy: 'Decompress it' };
  if (mark !== '504b0304') return undefined;
  return { problem: 'is a ZIP archive, such as an Excel file', remedy: 'Unpack it, or save it as CSV in UTF-8' };
}

function unknownFormat(text: string): Pick<InputProblem, 'problem' | 'remedy'> {
  if (text === '') return { problem: 'is empty', remedy: 'Download it again' };
  const [names = ''] = text.split(/\r?\n/, 1);
  if (names.includes(';')) {
    const problem = 'has semicolons between the names of its columns';
    return { problem, remedy: 'Save it with commas or tabs between its cells' };
  }
  const problem = `is none of ${tableFormats.join(', ')} by its content`;
  return { problem, remedy: 'Name its format (`format`), or convert it' };
}

async function readHead(file: string): Promise<Buffer> {
  const handle = await openRegularFile(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD), 0, HEAD, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function* rowsOfJson(file: string): AsyncGenerator<TableRow> {
  for await (const batch of streamRecords(file, { '': z.record(z.string(), z.unknown()) })) {
    for (const { index, value } of batch) {
      yield { values: new Map(Object.entries(value)), place: { field: `[${index}]` } };
    }
  }
}
