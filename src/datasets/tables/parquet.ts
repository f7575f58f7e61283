import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { hashValue } from '../../core/hash.ts';
import { InputError } from '../../core/input-error.ts';
import { hashInputFile } from '../../core/read-json.ts';
import { inputErrorOfFile, openRegularFile } from '../../core/regular-file.ts';
import type { TableRow } from './table-row.ts';

/**
 * The rows of a Parquet file, or of all Parquet files of a folder and the folders in it, in the order of their names, as
 * `datasets` writes shards.
 *
 * @throws InputError naming a file that is not Parquet, or a folder without one
 */
export async function* rowsOfParquet(path: string): AsyncGenerator<TableRow> {
  const files = await parquetFilesOf(path);
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
      const result = await connection.stream(`SELECT * FROM read_parquet(${literal(file)})`).catch((cause: unknown) => {
        throw notParquet(file, cause);
      });
      for await (const rows of result.yieldRowObjectJs()) {
        for (const values of rows) {
          yield { values: new Map<string, unknown>(Object.entries(values)), place: { field: `rows[${row}]` } };
          row += 1;
        }
      }
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/**
 * A Parquet file, or all files of a folder of them.
 *
 * @throws InputError for a folder without any, or a path that DuckDB can't open
 */
export async function parquetFilesOf(path: string): Promise<string[]> {
  const found = await stat(path).catch((cause: unknown) => {
    throw inputErrorOfFile(path, cause);
  });
  if (!found.isDirectory()) return [requirePlainName(path)];
  const names = await readdir(path, { recursive: true });
  const shards = names.filter((name) => name.endsWith('.parquet')).sort();
  if (shards.length > 0) return shards.map((name) => requirePlainName(join(path, name)));
  throw new InputError({ file: path, problem: 'has no Parquet file', remedy: 'Name a folder with *.parquet in it' });
}

/** DuckDB takes these characters for a pattern, with no way to say otherwise. */
function requirePlainName(file: string): string {
  if (!/[*?[\]{}]/.test(file)) return file;
  const problem = 'a path with one of * ? [ ] { } can not be opened as Parquet';
  throw new InputError({ file, problem, remedy: 'Rename it' });
}

/**
 * SHA-256 of a file of rows in any format, or of all Parquet files of a folder.
 *
 * @throws InputError when it is missing, or is a folder without any
 */
export async function hashTable(path: string): Promise<string> {
  const found = await stat(path).catch((cause: unknown) => {
    throw inputErrorOfFile(path, cause);
  });
  if (!found.isDirectory()) return hashInputFile(path);
  const shards = await parquetFilesOf(path);
  return hashValue(await Promise.all(shards.map(async (shard) => [relative(path, shard), await hashInputFile(shard)])));
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
const literal = (value: string) => `'${value.replaceAll("'", "''")}'`;
