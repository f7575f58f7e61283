/** Copies some rows of a file into another of the same format, with all that they have. */
import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { type Pack, pack } from 'tar-stream';
import { piecesOf } from '../../core/regular-file.ts';
import { StorageError, writeFileAtomically } from '../../core/write-file.ts';
import { streamElements } from '../stream-records.ts';
import type { TableFormat } from '../tables/index.ts';
import { linesOf } from '../tables/json-lines.ts';
import { sqlText } from '../tables/parquet.ts';
import { parquetFilesOf, tarFilesOf } from '../tables/shards.ts';
import { membersOfArchive } from '../tables/webdataset.ts';

/** Which rows are copied, by their number from 0. */
export type RowChoice = (row: number) => boolean;

/** Format → the extension of its files. */
export const extensionOf = {
  json: 'json',
  jsonl: 'jsonl',
  csv: 'csv',
  tsv: 'tsv',
  parquet: 'parquet',
  webdataset: 'tar',
} as const satisfies Record<TableFormat, string>;

/**
 * Writes the chosen rows in the order of the source: records of a JSON list, lines of JSON and of separated text, and members of
 * archives, as they are; columns of Parquet in their types.
 *
 * @param source a file, or a folder of shards, which become one file
 * @throws InputError when the source can't be read; StorageError when the target can't be written
 */
export async function writeRows(
  format: TableFormat,
  { source, target, isChosen }: { source: string; target: string; isChosen: RowChoice },
): Promise<void> {
  if (format === 'parquet') return writeParquetRows(source, target, isChosen);
  if (format === 'webdataset') return writeArchive(source, target, isChosen);
  const pieces = { json: recordsOf, jsonl: linesOfRows, csv: separatedRows, tsv: separatedRows }[format];
  await writeFileAtomically(target, pieces(source, isChosen, format === 'tsv' ? '\t' : ','));
}

async function* recordsOf(source: string, isChosen: RowChoice): AsyncGenerator<string> {
  let row = -1;
  let before = '[\n';
  for await (const record of streamElements(source)) {
    row += 1;
    if (!isChosen(row)) continue;
    yield `${before}${record}`;
    before = ',\n';
  }
  yield before === '[\n' ? '[]\n' : '\n]\n';
}

async function* linesOfRows(source: string, isChosen: RowChoice): AsyncGenerator<string> {
  let row = -1;
  for await (const bytes of linesOf(source)) {
    const line = bytes
      .toString('utf8')
      .replace(/^\ufeff/, '')
      .trim();
    if (line === '') continue;
    row += 1;
    if (isChosen(row)) yield `${line}\n`;
  }
}

async function* separatedRows(source: string, isChosen: RowChoice, delimiter: string): AsyncGenerator<string> {
  const parser = parse({ delimiter, bom: true, raw: true, skip_empty_lines: true });
  const reading = pipeline(piecesOf(source), parser);
  // The row of names is always copied.
  let row = -2;
  for await (const { raw } of parser as AsyncIterable<{ raw: string }>) {
    row += 1;
    if (row === -1 || isChosen(row)) yield `${raw.replace(/[\r\n]+$/, '')}\n`;
  }
  await reading;
}

async function writeArchive(source: string, target: string, isChosen: RowChoice): Promise<void> {
  const archive = pack();
  const filling = fillArchive(archive, source, isChosen);
  const [filled, written] = await Promise.allSettled([
    filling,
    writeFileAtomically(target, archive as AsyncIterable<Uint8Array>),
  ]);
  if (filled.status === 'rejected') throw filled.reason;
  if (written.status === 'rejected') throw written.reason;
}

async function fillArchive(archive: Pack, source: string, isChosen: RowChoice): Promise<void> {
  try {
    let row = -1;
    for (const file of await tarFilesOf(source)) {
      let key: string | undefined;
      for await (const member of membersOfArchive(file)) {
        if (member.key !== key) row += 1;
        key = member.key;
        if (isChosen(row)) await pipeline(member.content, archive.entry({ name: member.name, size: member.size }));
        else member.content.resume();
      }
    }
    archive.finalize();
  } catch (error) {
    archive.destroy(error as Error);
    throw error;
  }
}

/** Of the metadata of Parquet files: the types of columns that are more than their storage, such as images. */
const huggingFaceKey = 'huggingface';

async function writeParquetRows(source: string, target: string, isChosen: RowChoice): Promise<void> {
  const files = await parquetFilesOf(source);
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: '512MB',
    threads: '2',
    temp_directory: `${temporary}.spill`,
  });
  const connection = await instance.connect();
  try {
    await connection.run('CREATE TABLE chosen (file VARCHAR, row BIGINT, place BIGINT)');
    const appender = await connection.createAppender('chosen');
    let place = 0;
    for (const file of files) {
      const counted = await connection.runAndReadAll(`SELECT count(*) FROM read_parquet(${sqlText(file)})`);
      const rows = Number(counted.getRows()[0]?.[0]);
      for (let row = 0; row < rows; row += 1, place += 1) {
        if (!isChosen(place)) continue;
        appender.appendVarchar(file);
        appender.appendBigInt(BigInt(row));
        appender.appendBigInt(BigInt(place));
        appender.endRow();
      }
    }
    appender.closeSync();
    const [first = ''] = files;
    const metadata = await connection.runAndReadAll(
      `SELECT decode(value) FROM parquet_kv_metadata(${sqlText(first)}) WHERE key = ${sqlText(huggingFaceKey)}`,
    );
    const [[types] = []] = metadata.getRows();
    const list = files.map(sqlText).join(', ');
    await connection
      .run(
        `COPY (
           SELECT rows.* EXCLUDE (filename, file_row_number)
           FROM read_parquet([${list}], filename = true, file_row_number = true) AS rows
           JOIN chosen ON chosen.file = rows.filename AND chosen.row = rows.file_row_number ORDER BY place
         ) TO ${sqlText(temporary)} (FORMAT parquet, COMPRESSION zstd${
           typeof types === 'string' ? `, KV_METADATA {${huggingFaceKey}: ${sqlText(types)}}` : ''
         })`,
      )
      .catch((cause: unknown) => {
        throw new StorageError(target, cause);
      });
    await rename(temporary, target);
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(temporary, { force: true });
    await rm(`${temporary}.spill`, { recursive: true, force: true });
  }
}
