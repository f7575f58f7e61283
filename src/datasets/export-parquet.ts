import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { InputError } from '../core/input-error.ts';
import { writeFileAtomically } from '../core/write-file.ts';
import { aokvqaImagePath } from './aokvqa.ts';
import { datasetCard } from './dataset-card.ts';
import { type DatasetVersion, lineageOf, versionObject } from './versions.ts';

/** Which data to export, and how. */
export interface ExportInput {
  /** The run's folder, `runs/<run>`. */
  runRoot: string;
  version: DatasetVersion;
  /** A folder that does not exist yet, or is empty. */
  output: string;
  /** Where the images are: the folder, and its path under the data root. */
  images: { folder: string; path: string };
  /** QMAE answers with the explanation, QMA without. */
  answerFormat: 'QMA' | 'QMAE';
  /** Puts the images themselves into Parquet files. */
  embedImages?: boolean;
}

/** Images have about 160 KB each: shards of about a third of a gigabyte. */
const ROWS_WITH_IMAGES = 2000;
const ROWS = 500_000;

/**
 * Writes Parquet files and a dataset card that Hugging Face's `datasets` loads by the folder's name. DuckDB reads the
 * JSON and writes the files, so that neither is in memory as a whole.
 */
export async function writeParquetDataset(folder: string, input: ExportInput): Promise<string[]> {
  await mkdir(join(folder, 'data'));
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: '512MB',
    threads: '2',
    temp_directory: join(folder, '.spill'),
  });
  const connection = await instance.connect();
  try {
    const samples = await readSamples(connection, input);
    const rows = input.embedImages ? ROWS_WITH_IMAGES : ROWS;
    const shards = Math.max(1, Math.ceil(samples / rows));
    const files: string[] = [];
    for (let shard = 0; shard < shards; shard += 1) {
      const name = `data/train-${fiveDigits(shard)}-of-${fiveDigits(shards)}.parquet`;
      await writeShard(connection, input, join(folder, name), [shard * rows, (shard + 1) * rows]);
      files.push(name);
    }
    const lineage = await lineageOf(input.runRoot, input.version);
    const card = datasetCard({ version: input.version, lineage, samples, images: input.embedImages === true });
    await writeFileAtomically(join(folder, 'README.md'), card);
    return ['README.md', ...files];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function readSamples(connection: DuckDBConnection, { runRoot, version }: ExportInput): Promise<number> {
  await connection.run('CREATE SEQUENCE row_number MINVALUE 0 START 0');
  await connection.run(`
    CREATE TEMP TABLE samples (
      row BIGINT, image_id BIGINT, round BIGINT, question_type VARCHAR, question VARCHAR, choices VARCHAR[],
      correct_choice_idx BIGINT, rationales VARCHAR[], raw_instructions VARCHAR
    )`);
  for (const { round, files } of await lineageOf(runRoot, version)) {
    for (const file of files) {
      await connection.run(`
        INSERT INTO samples
        SELECT nextval('row_number'), image_id, ${round}, question_type, question, choices, correct_choice_idx,
          rationales, raw_instructions
        FROM read_json(${text(versionObject(runRoot, file))}, format = 'array', columns = {
          image_id: 'BIGINT', raw_instructions: 'VARCHAR', question_type: 'VARCHAR', question: 'VARCHAR',
          choices: 'VARCHAR[]', correct_choice_idx: 'BIGINT', rationales: 'VARCHAR[]'
        })`);
    }
  }
  const [row] = (await connection.runAndReadAll('SELECT count(*) FROM samples')).getRows();
  return Number(row?.[0]);
}

async function writeShard(
  connection: DuckDBConnection,
  { images, embedImages }: ExportInput,
  file: string,
  [from, to]: [number, number],
): Promise<void> {
  const rows = `samples WHERE row >= ${from} AND row < ${to}`;
  const columns = 'image_id, round, question_type, question, choices, correct_choice_idx, rationales, raw_instructions';
  const name = "lpad(image_id::VARCHAR, 12, '0') || '.jpg'";
  const source = embedImages
    ? `SELECT {'bytes': content, 'path': ${name}} AS image, ${columns}
       FROM (SELECT * FROM ${rows})
       JOIN read_blob([${(await imageFiles(connection, rows, images.folder)).map(text).join(', ')}])
         ON parse_filename(filename) = ${name} ORDER BY row`
    : `SELECT ${text(`${images.path}/`)} || ${name} AS image_file, ${columns} FROM ${rows} ORDER BY row`;
  await connection.run(`COPY (${source}) TO ${text(file)} (FORMAT parquet, COMPRESSION zstd)`);
}

async function imageFiles(connection: DuckDBConnection, rows: string, folder: string): Promise<string[]> {
  const ids = (await connection.runAndReadAll(`SELECT DISTINCT image_id FROM ${rows} ORDER BY image_id`)).getRows();
  const files = ids.map(([id]) => aokvqaImagePath(folder, Number(id)));
  for (const file of files) {
    await access(file).catch((cause) => {
      const remedy = 'Check data.images.train, or export without the images';
      throw new InputError({ file, problem: 'no such image', remedy }, { cause });
    });
  }
  return files;
}

/** A text in SQL. */
const text = (value: string) => `'${value.replaceAll("'", "''")}'`;
const fiveDigits = (value: number) => String(value).padStart(5, '0');
