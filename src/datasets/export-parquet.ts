import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { ImageId } from '../core/images/image-id.ts';
import type { ExifMode } from '../core/images/image-kind.ts';
import { portableImage } from '../core/images/open-image.ts';
import { writeFileAtomically, writeJsonLines } from '../core/write-file.ts';
import { type CardFacts, datasetCard } from './dataset-card.ts';
import type { ImageFolder } from './image-folder.ts';
import { sqlText } from './tables/parquet.ts';
import { type DatasetVersion, lineageOf, versionObject } from './versions.ts';

/** Which data to export, and how. */
export interface ExportInput {
  /** The run's folder, `runs/<run>`. */
  runRoot: string;
  version: DatasetVersion;
  /** A folder that does not exist yet, or is empty. */
  output: string;
  /** Where the images are: the folder, and its path under the data root. */
  images: { folder: ImageFolder; path: string };
  /** QMAE answers with the explanation, QMA without. */
  answerFormat: 'QMA' | 'QMAE';
  /** Puts the images themselves into Parquet files. */
  embedImages?: boolean;
  /** For the card of a Hugging Face dataset. */
  card?: CardFacts | undefined;
  /** MiB that an archive of WebDataset may have; default 1024. */
  shardSize?: number | undefined;
  /** How the images are opened that readers would see in different ways; default apply. */
  exif?: ExifMode;
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
    const { samples, imageIdType } = await readSamples(connection, input);
    const rows = input.embedImages ? ROWS_WITH_IMAGES : ROWS;
    const shards = Math.max(1, Math.ceil(samples / rows));
    const files: string[] = [];
    for (let shard = 0; shard < shards; shard += 1) {
      const name = `data/train-${fiveDigits(shard)}-of-${fiveDigits(shards)}.parquet`;
      await writeShard(connection, input, join(folder, name), [shard * rows, (shard + 1) * rows]);
      files.push(name);
    }
    const lineage = await lineageOf(input.runRoot, input.version);
    const card = datasetCard({
      version: input.version,
      lineage,
      samples,
      imageIdType,
      facts: input.card,
      layout: input.embedImages ? 'parquet with images' : 'parquet',
    });
    await writeFileAtomically(join(folder, 'README.md'), card);
    return ['README.md', ...files];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Reads all samples into the table `samples`. Its image ids are numbers, or texts where one of them is a text. */
async function readSamples(
  connection: DuckDBConnection,
  { runRoot, version }: ExportInput,
): Promise<{ samples: number; imageIdType: 'BIGINT' | 'VARCHAR' }> {
  await connection.run('CREATE SEQUENCE row_number MINVALUE 0 START 0');
  await connection.run(`
    CREATE TEMP TABLE samples (
      row BIGINT, image_id VARCHAR, round BIGINT, question_type VARCHAR, question VARCHAR, choices VARCHAR[],
      correct_choice_idx BIGINT, rationales VARCHAR[], raw_instructions VARCHAR
    )`);
  for (const { round, files } of await lineageOf(runRoot, version)) {
    for (const file of files) {
      await connection.run(`
        INSERT INTO samples
        SELECT nextval('row_number'), image_id, ${round}, question_type, question, choices, correct_choice_idx,
          rationales, raw_instructions
        FROM read_json(${sqlText(versionObject(runRoot, file))}, format = 'array', columns = {
          image_id: 'VARCHAR', raw_instructions: 'VARCHAR', question_type: 'VARCHAR', question: 'VARCHAR',
          choices: 'VARCHAR[]', correct_choice_idx: 'BIGINT', rationales: 'VARCHAR[]'
        })`);
    }
  }
  const facts = `SELECT count(*), count(*) FILTER (NOT regexp_full_match(image_id, '[0-9]+')) FROM samples`;
  const [[samples, texts] = []] = (await connection.runAndReadAll(facts)).getRows();
  const imageIdType = Number(texts) > 0 ? 'VARCHAR' : 'BIGINT';
  if (imageIdType === 'BIGINT') await connection.run('ALTER TABLE samples ALTER image_id TYPE BIGINT');
  return { samples: Number(samples), imageIdType };
}

async function writeShard(
  connection: DuckDBConnection,
  input: ExportInput,
  file: string,
  [from, to]: [number, number],
): Promise<void> {
  const rows = `samples WHERE row >= ${from} AND row < ${to}`;
  const columns = 'image_id, round, question_type, question, choices, correct_choice_idx, rationales, raw_instructions';
  const folder = `${file}.images`;
  await mkdir(folder);
  try {
    const names = await imageNames(connection, rows, input, folder);
    const source = input.embedImages
      ? `SELECT {'bytes': content, 'path': name} AS image, ${columns}
         FROM (SELECT * FROM ${rows}) JOIN image_files ON image_id::VARCHAR = id
         JOIN read_blob([${names.map(({ file }) => sqlText(file)).join(', ')}]) ON filename = file ORDER BY row`
      : `SELECT ${sqlText(`${input.images.path}/`)} || name AS image_file, ${columns}
         FROM (SELECT * FROM ${rows}) JOIN image_files ON image_id::VARCHAR = id ORDER BY row`;
    await connection.run(`COPY (${source}) TO ${sqlText(file)} (FORMAT parquet, COMPRESSION zstd)`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

interface ImageName {
  id: ImageId;
  /** Relative to the folder of the images. */
  name: string;
  file: string;
}

/** The images of the rows, also as the table `image_files`. */
async function imageNames(
  connection: DuckDBConnection,
  rows: string,
  { images, embedImages, exif }: ExportInput,
  temporary: string,
): Promise<ImageName[]> {
  const ids = (await connection.runAndReadAll(`SELECT DISTINCT image_id FROM ${rows} ORDER BY image_id`)).getRows();
  const names: ImageName[] = [];
  for (const [index, image_id] of ids.map(([id]) => imageIdOf(id)).entries()) {
    const file = await images.folder.fileOf(image_id);
    const found = { id: image_id, name: relative(images.folder.path, file), file };
    names.push(embedImages ? await readableByAll(found, join(temporary, String(index)), exif) : found);
  }
  const list = join(temporary, 'names.jsonl');
  await writeJsonLines(list, names);
  await connection.run(`CREATE OR REPLACE TEMP TABLE image_files AS SELECT * FROM read_json(${sqlText(list)},
    format = 'newline_delimited', columns = {id: 'VARCHAR', name: 'VARCHAR', file: 'VARCHAR'})`);
  return names;
}

/** A table's id of an image, in which a number may be written as a text. */
function imageIdOf(value: unknown): ImageId {
  const text = String(value);
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** The image itself, or a copy of it that every reader opens alike; one whose name is a pattern to DuckDB is copied too. */
async function readableByAll(image: ImageName, copy: string, exif: ExifMode | undefined): Promise<ImageName> {
  const { kind, content, isCopy } = await portableImage(image.file, { exif });
  if (!isCopy && !/[*?[\]{}]/.test(image.file)) return image;
  const file = `${copy}.${kind}`;
  await writeFile(file, content);
  return { ...image, name: isCopy ? `${image.name}.${kind}` : image.name, file };
}

const fiveDigits = (value: number) => String(value).padStart(5, '0');
