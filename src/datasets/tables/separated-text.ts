import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { InputError } from '../../core/input-error.ts';
import { piecesOf } from '../../core/regular-file.ts';
import { utf8Pieces } from '../../core/utf8.ts';
import type { TableRow } from './table-row.ts';

const LONGEST_ROW = 64 * 1024 * 1024;

/**
 * The rows of comma- or tab-separated text (RFC 4180), whose first row has the names of the columns. An empty cell has no
 * value.
 *
 * @throws InputError naming the line of a row that has another number of cells, a quote in the wrong place, or is not UTF-8
 */
export async function* rowsOfSeparatedText(file: string, delimiter: ',' | '\t'): AsyncGenerator<TableRow> {
  const parser = Readable.from(utf8Pieces(piecesOf(file), file), { objectMode: false })
    .on('error', (error) => parser.destroy(error))
    .pipe(
      parse({
        delimiter,
        bom: true,
        info: true,
        skip_empty_lines: true,
        max_record_size: LONGEST_ROW,
        columns: (names: string[]) => checkedNames(file, names),
      }),
    );
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: Record<string, string>;
      info: { lines: number };
    }>) {
      const cells = Object.entries(record).filter(([, cell]) => cell !== '');
      yield { values: new Map<string, unknown>(cells), place: { line: info.lines } };
    }
  } catch (cause) {
    throw explain(file, delimiter, cause);
  }
}

function checkedNames(file: string, names: readonly string[]): string[] {
  const trimmed = names.map((name) => name.trim());
  const seen = new Set<string>();
  const twice = trimmed.find((name) => seen.size === seen.add(name).size);
  if (twice === undefined) return trimmed;
  throw new InputError({ file, line: 1, field: twice, problem: 'two columns have this name', remedy: 'Rename one' });
}

function explain(file: string, delimiter: string, cause: unknown): unknown {
  if (!(cause instanceof CsvError)) return cause;
  const kind = delimiter === ',' ? 'comma' : 'tab';
  const line = typeof cause.lines === 'number' ? cause.lines : undefined;
  const problem = `is not ${kind}-separated text: ${cause.code.replace(/^CSV_/, '').replaceAll('_', ' ').toLowerCase()}`;
  return new InputError(
    {
      file,
      line,
      problem,
      remedy: 'Give each row as many cells as there are columns, and quote cells with a quote inside',
    },
    { cause },
  );
}
