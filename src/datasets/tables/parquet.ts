import { InputError } from '../../core/input-error.ts';
import { openRegularFile } from '../../core/regular-file.ts';
import { parquetFilesOf } from './shards.ts';
import type { TableRow } from './table-row.ts';

/**
 * The rows of a Parquet file, or of all Parquet files of a folder and the folders in it, in the order of their names, as
 * `datasets` writes shards.
 *
 * @throws InputError naming a file that is not Parquet, or a folder without one
 */
export async function* rowsOfParquet(path: string): AsyncGenerator<TableRow> {
  const files = (await parquetFilesOf(path)).map(requirePlainName);
  // Loaded only here: schemas of configs list the formats, and every command reads a config.
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: '512MB',
    threads: '2',
    // The order of the rows is that of the file.
    preserve_insertion_order: 'true',
  });
  const connection = await instance.connect();
  try {
    for (const file of files) {
      // DuckDB would wait for a pipe.
      await (await openRegularFile(file)).close();
      let row = 0;
      const result = await connection.stream(`SELECT * FROM read_parquet(${sqlText(file)})`).catch((cause: unknown) => {
        throw notParquet(file, cause);
      });
      const chunks = result.yieldRowObjectJs()[Symbol.asyncIterator]();
      for (;;) {
        // Its first rows may be right where later ones are damaged.
        const { done, value: rows } = await chunks.next().catch((cause: unknown) => {
          throw notParquet(file, cause);
        });
        if (done) break;
        for (const values of rows) {
          yield { values: new Map<string, unknown>(Object.entries(values)), place: { file, field: `rows[${row}]` } };
          row += 1;
        }
      }
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** DuckDB takes these characters for a pattern, with no way to say otherwise. */
function requirePlainName(file: string): string {
  if (!/[*?[\]{}]/.test(file)) return file;
  const problem = 'a path with one of * ? [ ] { } can not be opened as Parquet';
  throw new InputError({ file, problem, remedy: 'Rename it' });
}

function notParquet(file: string, cause: unknown): unknown {
  const message = cause instanceof Error ? cause.message.split('\n')[0] : '';
  return new InputError(
    {
      file,
      problem: `can not be read as Parquet: ${message}`,
      remedy: 'Write it again, or name its format (`format`)',
    },
    { cause },
  );
}

/** A text in SQL. */
export const sqlText = (value: string) => `'${value.replaceAll("'", "''")}'`;
