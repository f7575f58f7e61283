/** Copies some rows of a file into another of the same format, with all that they have. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
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

type RowChoice = (row: number) => boolean;

/** Format → the extension of its files. */
export const extensionOf = {
  json: 'json',
  jsonl: 'jsonl',
  csv: 'csv',
  tsv: 'tsv',
  parquet: 'parquet',
  webdataset: 'tar',
} as const satisfies Record<TableFormat, string>;

/** A file that some of the rows are copied into, by their number from 0. */
export interface RowTarget {
  /** In a folder that appears once it is complete. */
  file: string;
  isChosen: RowChoice;
}

/**
 * Writes the chosen rows in the order of the source: records of a JSON list, lines of JSON and of separated text, and members of
 * archives, as they are; columns of Parquet in their types. Text is read once for all targets.
 *
 * @param source a file, or a folder of shards, which become one file
 * @throws InputError when the source can't be read; StorageError when a target can't be written
 */
export async function writeRows(format: TableFormat, source: string, targets: readonly RowTarget[]): Promise<void> {
  if (format === 'parquet' || format === 'webdataset') {
    const write = format === 'parquet' ? writeParquetRows : writeArchive;
    for (const { file, isChosen } of targets) await write(source, file, isChosen);
    return;
  }
  const isList = format === 'json';
  const opened: OpenTarget[] = [];
  try {
    for (const target of targets) opened.push(await openTarget(target, isList));
    for await (const { row, text } of textRows[format](source)) {
      for (const target of opened) if (row === namesRow || target.isChosen(row)) await target.add(text);
    }
    for (const target of opened) await target.end();
  } finally {
    for (const target of opened) await target.close();
  }
}

interface OpenTarget extends Pick<RowTarget, 'isChosen'> {
  add(text: string): Promise<void>;
  end(): Promise<void>;
  close(): Promise<void>;
}

/** Characters that are written at a time. */
const atOnce = 1_000_000;

async function openTarget({ file, isChosen }: RowTarget, isList: boolean): Promise<OpenTarget> {
  const failed = (cause: unknown) => Promise.reject(new StorageError(file, cause));
  const handle = await open(file, 'wx').catch(failed);
  let waiting = isList ? '[\n' : '';
  let isEmpty = true;
  const write = async () => {
    await handle.writeFile(waiting).catch(failed);
    waiting = '';
  };
  return {
    isChosen,
    async add(text) {
      waiting += isList && !isEmpty ? `,\n${text}` : text;
      isEmpty = false;
      if (waiting.length >= atOnce) await write();
    },
    async end() {
      if (isList) waiting += isEmpty ? ']\n' : '\n]\n';
      await write();
      await handle.sync().catch(failed);
    },
    close: () => handle.close(),
  };
}

interface TextRow {
  row: number;
  text: string;
}

/** The row of names, which every target has. */
const namesRow = -1;

const textRows = {
  json: recordsOf,
  jsonl: linesOfRows,
  csv: (source: string) => separatedRows(source, ','),
  tsv: (source: string) => separatedRows(source, '\t'),
};

async function* recordsOf(source: string): AsyncGenerator<TextRow> {
  let row = 0;
  for await (const text of streamElements(source)) yield { row: row++, text };
}

async function* linesOfRows(source: string): AsyncGenerator<TextRow> {
  let row = 0;
  for await (const bytes of linesOf(source)) {
    const line = bytes
      .toString('utf8')
      .replace(/^\ufeff/, '')
      .trim();
    if (line !== '') yield { row: row++, text: `${line}\n` };
  }
}

async function* separatedRows(source: string, delimiter: string): AsyncGenerator<TextRow> {
  const parser = parse({ delimiter, bom: true, raw: true, skip_empty_lines: true });
  const reading = pipeline(piecesOf(source), parser);
  // The loop throws too, or is left early when a target can't be written; nobody waits for this promise then.
  reading.catch(() => undefined);
  let row = namesRow;
  for await (const { raw } of parser as AsyncIterable<{ raw: string }>) {
    yield { row: row++, text: `${raw.replace(/[\r\n]+$/, '')}\n` };
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
