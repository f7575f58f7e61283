/** The same rows from every format, and what is said about files that are none. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, test } from 'vitest';
import { readOwnQuestions } from '../../../src/datasets/own-questions.ts';
import { formatOf, type TableFormat, tableRows } from '../../../src/datasets/tables/index.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const records = [
  { id: '1', question: 'How many?', answer: 'two' },
  { id: '2', question: 'Says "stop", in\nred?', answer: 'yes' },
  { id: '3', question: 'Wie heißt 東京?', answer: 'Tōkyō' },
];

async function write(content: string | Uint8Array, name = 'rows'): Promise<string> {
  const file = join(await temporaryFolder(), name);
  await writeFile(file, content);
  return file;
}

async function writeParquet(file: string, rows: string): Promise<string> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(`COPY (${rows}) TO '${file}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
  return file;
}

async function read(file: string, format?: TableFormat) {
  const rows: unknown[] = [];
  for await (const { values } of tableRows(file, format)) rows.push(Object.fromEntries(values));
  return rows;
}

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
const separated = (delimiter: string) =>
  [
    'id,question,answer'.replaceAll(',', delimiter),
    ...records.map((row) => Object.values(row).map(quoted).join(delimiter)),
  ].join('\r\n');

const formats: [TableFormat, string][] = [
  ['json', JSON.stringify(records)],
  ['jsonl', records.map((row) => JSON.stringify(row)).join('\n')],
  ['csv', separated(',')],
  ['tsv', separated('\t')],
];

describe.each(formats)('%s', (format, content) => {
  test('is known by its content, and gives its rows', async () => {
    const file = await write(content);
    expect(await formatOf(file)).toBe(format);
    expect(await read(file)).toEqual(records);
  });

  test('a byte order mark at its start is no part of it', async () => {
    const file = await write(`\ufeff${content}`);
    expect(await formatOf(file)).toBe(format);
    expect(await read(file)).toEqual(records);
  });
});

test('Parquet: a file, and a folder of shards in the order of their names', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'data'));
  const shard = (index: number) => {
    const { id, question, answer } = records[index] as (typeof records)[number];
    return `SELECT '${id}' AS id, '${question}' AS question, '${answer}' AS answer`;
  };
  for (const index of [1, 0, 2]) {
    await writeParquet(join(folder, 'data', `train-0000${index}-of-00003.parquet`), shard(index));
  }
  expect(await read(folder)).toEqual(records);
  expect(await read(join(folder, 'data', 'train-00001-of-00003.parquet'))).toEqual([records[1]]);
});

test('Parquet: an error in a folder of shards names the shard', async () => {
  const folder = await temporaryFolder();
  const row = (text: string) => `SELECT 'a.jpg' AS image, '${text}' AS question, 'yes' AS answer`;
  await writeParquet(join(folder, 'train-00000-of-00002.parquet'), row('Is it there?'));
  await writeParquet(join(folder, 'train-00001-of-00002.parquet'), row(' '));
  await expect(readOwnQuestions({ file: folder })).rejects.toMatchObject({
    file: join(folder, 'train-00001-of-00002.parquet'),
    field: 'rows[0].question',
    problem: 'is empty',
  });
});

test('Parquet: lists, bytes and whole numbers', async () => {
  const file = join(await temporaryFolder(), 'types.parquet');
  await writeParquet(
    file,
    `SELECT ['a', 'b'] AS choices, {'bytes': 'ab'::BLOB, 'path': 'x.jpg'} AS image, 12::BIGINT AS id`,
  );
  const [row] = await read(file);
  expect(row).toMatchObject({ choices: ['a', 'b'], id: 12n });
  const { bytes } = (row as { image: { bytes: Uint8Array } }).image;
  expect(bytes).toBeInstanceOf(Uint8Array);
  expect(Buffer.from(bytes).toString()).toBe('ab');
});

test('JSON lines: lines that come in pieces, empty lines, and none at the end', async () => {
  const long = { text: 'ü'.repeat(800_000) };
  const file = await write(`${JSON.stringify(long)}\n\n${JSON.stringify({ text: 'b' })}\n${JSON.stringify(long)}`);
  expect(await read(file)).toEqual([long, { text: 'b' }, long]);
});

test.each([
  ['a JSON line that is not JSON', 'jsonl', '{"a":1}\n{"a":', /rows:2:6: is not valid JSON: it ends too early/],
  ['a JSON line that is no object', 'jsonl', '{"a":1}\n[1]', /rows:2: must be an object/],
  ['a record of a JSON list that is no object', 'json', '[{"a":1}, 7]', /rows: \[1\]: must be an object/],
  ['a row with too many cells', 'csv', 'a,b\n1,2\n1,2,3\n', /rows:3: is not comma-separated text/],
  ['a quote that does not end', 'csv', 'a,b\n1,"2\n', /rows:\d+: is not comma-separated text: quote not closed/],
  ['two columns of one name', 'tsv', 'a\ta\n1\t2\n', /rows:1: a: two columns have this name/],
  ['Parquet that is cut short', 'parquet', 'PAR1xxxx', /rows: can not be read as Parquet/],
] as const)('%s is named with its place', async (_, format, content, message) => {
  const file = await write(content);
  expect(await formatOf(file)).toBe(format);
  await expect(read(file)).rejects.toMatchObject({ name: 'InputError', message: expect.stringMatching(message) });
});

test('a file of no known format is refused, and the format may be named', async () => {
  const file = await write('question\nWhat?\nWho?\n');
  await expect(read(file)).rejects.toMatchObject({
    problem: 'is none of json, jsonl, csv, tsv, parquet, webdataset by its content',
  });
  expect(await read(file, 'csv')).toEqual([{ question: 'What?' }, { question: 'Who?' }]);
});

test.each([
  ['1f8b0800', 'is compressed with gzip'],
  ['504b0304', 'is a ZIP archive, such as an Excel file'],
])('a packed file (%s) is named, whatever characters it has', async (mark, problem) => {
  const file = await write(Buffer.concat([Buffer.from(mark, 'hex'), Buffer.from('\xe9,b\tc\n1,2\t3\n', 'latin1')]));
  await expect(read(file)).rejects.toMatchObject({ name: 'InputError', problem });
});

test.each(['json', 'jsonl', 'csv', 'tsv', 'parquet'] as const)('a missing file is named (%s)', async (format) => {
  await expect(read('/nowhere/rows', format)).rejects.toMatchObject({ name: 'InputError', problem: 'no such file' });
});

test('a folder without shards, and one with two kinds, are named', async () => {
  const folder = await temporaryFolder();
  await expect(read(folder)).rejects.toMatchObject({ problem: 'has neither Parquet files nor tar archives' });
  for (const name of ['a.parquet', 'b.tar']) await writeFile(join(folder, name), '');
  await expect(read(folder)).rejects.toMatchObject({ problem: 'has both Parquet files and tar archives' });
});
