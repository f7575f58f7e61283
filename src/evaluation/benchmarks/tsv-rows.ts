/**
 * VLMEvalKit's layout (https://github.com/open-compass/VLMEvalKit, `vlmeval/dataset/image_base.py`): tab-separated, a question a
 * row, its images in base64 or by their paths. MMBench's own file is the first one of it.
 */
import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { decodeBase64 } from '../../core/base64.ts';
import { InputError } from '../../core/input-error.ts';
import { piecesOf } from '../../core/regular-file.ts';
import { readPythonList } from '../python-text.ts';

/** Column → cell, as it is in the file. */
export type Cells = Readonly<Record<string, string>>;

export interface TsvSource {
  file: string;
  /** Takes only this many questions, from the start of the file; rows of the same group count once. */
  limit?: number | undefined;
  /** Stores an image that the file holds, and returns its path. */
  keep(content: Buffer): Promise<string>;
  /** The path of an image that the file names in its column `image_path`, for files that hold none. */
  locate?(path: string): Promise<string>;
}

/** An image in base64 is never as short; what is, is the index of the row that has the image. */
const LONGEST_REFERENCE = 64;
const LARGEST_ROW = 256 * 1024 * 1024;

/**
 * Reads the rows in their order, each with the paths of its images: one, several, or none. A row whose image is the index of
 * another row shares that one's.
 *
 * @param parseRow checks the cells of a row; what it throws names the line. `index` tells rows apart
 * @param groupOf which question an index belongs to, for the limit
 * @throws InputError naming line and column, for a file that is not tab-separated or was cut short, an index that is there
 *   twice, or an image that is not there; what `keep` and `locate` throw
 */
export async function readTsvRows<T extends { index: string }>(
  { file, limit = Number.POSITIVE_INFINITY, keep, locate }: TsvSource,
  parseRow: (cells: Cells, line: number) => T,
  groupOf: (row: T) => unknown = ({ index }) => index,
): Promise<{ row: T; line: number; images: string[] }[]> {
  const groups = new Set<unknown>();
  /** Index → its images, or the index of the row that has them. */
  const images = new Map<string, { files: string[] } | { sameAs: string }>();
  const rows: { row: T; line: number }[] = [];
  for await (const { record, line } of recordsOf(file)) {
    const row = parseRow(record, line);
    if (images.has(row.index)) throw wrongCell(file, line, 'index', `${row.index} is there twice`);
    // Also for rows beyond the limit: others may refer to them.
    images.set(row.index, await imagesOf(record, line));
    const group = groupOf(row);
    if (!groups.has(group) && groups.size >= limit) continue;
    groups.add(group);
    rows.push({ row, line });
  }
  if (rows.length === 0) throw wrongCell(file, 1, undefined, 'has no questions');
  return rows.map(({ row, line }) => ({ row, line, images: sharedImages(row.index, line) }));

  async function imagesOf({ image = '', image_path: path = '' }: Cells, line: number) {
    if (image !== '' && image.length <= LONGEST_REFERENCE && !image.startsWith('[')) {
      return { sameAs: wholeNumber(image) };
    }
    const files: string[] = [];
    for (const cell of listed(image, line, 'image')) {
      const content = decodeBase64(cell);
      if (content === undefined) throw wrongCell(file, line, 'image', 'is not base64');
      files.push(await keep(content));
    }
    if (files.length > 0 || locate === undefined) return { files };
    return { files: await Promise.all(listed(path, line, 'image_path').map(locate)) };
  }

  function sharedImages(index: string, line: number): string[] {
    const seen = new Set<string>();
    for (let at = index; ; ) {
      const found = images.get(at);
      if (found !== undefined && 'files' in found) return found.files;
      if (found === undefined || seen.has(at)) {
        throw wrongCell(file, line, 'image', `the image of ${index} is said to be that of ${at}, which has none`);
      }
      seen.add(at);
      at = found.sameAs;
    }
  }

  /** A cell with one value, or with a list of them as Python writes it. */
  function listed(cell: string, line: number, column: string): string[] {
    if (cell === '') return [];
    if (!/^\[.*\]$/s.test(cell)) return [cell];
    const list = readPythonList(cell);
    if (list === undefined) throw wrongCell(file, line, column, 'is no list as Python writes one');
    return list;
  }
}

/** Some tools write whole numbers with a decimal point. */
export function wholeNumber(cell: string): string {
  return /^\d+\.0$/.test(cell) ? cell.slice(0, -2) : cell;
}

export function wrongCell(file: string, line: number, field: string | undefined, problem: string): InputError {
  return new InputError({ file, line, field, problem, remedy: 'Correct this row, or download the file again' });
}

async function* recordsOf(file: string): AsyncGenerator<{ record: Cells; line: number }> {
  const parser = Readable.from(piecesOf(file), { objectMode: false })
    .on('error', (error) => parser.destroy(error))
    .pipe(
      parse({
        delimiter: '\t',
        columns: true,
        bom: true,
        info: true,
        // A quote inside a value is a quote, as pandas reads it.
        relax_quotes: true,
        skip_empty_lines: true,
        max_record_size: LARGEST_ROW,
      }),
    );
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: Cells; info: { lines: number } }>) {
      yield { record, line: info.lines };
    }
  } catch (cause) {
    throw explain(file, cause);
  }
}

function explain(file: string, cause: unknown): unknown {
  if (!(cause instanceof CsvError)) return cause;
  const line = typeof cause.lines === 'number' ? cause.lines : undefined;
  const problem = `is not a tab-separated file of questions, or was cut short: ${cause.message.split('\n')[0]}`;
  return new InputError({ file, line, problem, remedy: 'Download the file again' }, { cause });
}
