import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type DuckDBConnection, DuckDBDataChunkWriter, DuckDBInstance, type DuckDBValue } from '@duckdb/node-api';
import { z } from 'zod';
import { InputError } from '../core/input-error.ts';
import { innerPath } from '../core/inside.ts';
import { StorageError } from '../core/write-file.ts';
import type { CocoBox, CocoFiles } from './coco.ts';
import { streamRecords } from './stream-records.ts';

/** Part of the name of an index. Increment it when the tables change. */
export const cocoIndexVersion = 1;

const id = z.int32().nonnegative();
/** An element of `images`, of both files of annotations. */
export const imageSchema = z.object({
  id,
  file_name: innerPath,
  width: z.int32().positive(),
  height: z.int32().positive(),
});
/** An element of `categories`. */
export const categorySchema = z.object({ id, name: z.string() });
/** An element of `annotations` of the instances. */
export const boxSchema = z.object({
  image_id: id,
  category_id: id,
  bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]).describe('Left, top, width, height in pixels'),
});
/** An element of `annotations` of the captions. */
export const captionSchema = z.object({ image_id: id, caption: z.string() });

/**
 * Builds the index of COCO's annotations. The file appears only once it is complete. When two processes build the same
 * index, the later file replaces the earlier one, whose readers keep their open file.
 *
 * @throws InputError for a file that is missing, broken or not COCO's, and for an annotation whose image or
 *   category is not there; StorageError for a full disk and the like
 */
export async function buildCocoIndex(files: CocoFiles, file: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  await mkdir(dirname(file), { recursive: true }).catch((cause) => Promise.reject(new StorageError(file, cause)));
  await removeAbandoned(file);
  try {
    const instance = await DuckDBInstance.create(temporary, {
      memory_limit: '384MB',
      threads: '2',
      temp_directory: `${temporary}.spill`,
    });
    const staging = await instance.connect();
    const target = await instance.connect();
    try {
      await fill(staging, target, files);
    } finally {
      staging.closeSync();
      target.closeSync();
      instance.closeSync();
    }
    await flush(temporary);
    await rename(temporary, file);
  } finally {
    for (const rest of [temporary, `${temporary}.wal`, `${temporary}.spill`])
      await rm(rest, { recursive: true, force: true });
  }
}

/** What a row of the staging table is about; an image's rows are read in this order. */
const [IMAGE_OF_INSTANCES, IMAGE_OF_CAPTIONS, BOX, CAPTION] = [0, 1, 2, 3];

/** All rows of both files go into one table and are read back sorted by image: DuckDB can sort on disk. */
async function fill(staging: DuckDBConnection, target: DuckDBConnection, files: CocoFiles): Promise<void> {
  await staging.run(`
    CREATE TEMP TABLE facts (
      image_id INTEGER, kind TINYINT, place INTEGER, text VARCHAR, category_id INTEGER,
      x DOUBLE, y DOUBLE, width DOUBLE, height DOUBLE
    )`);
  const facts = await tableWriter(staging, 'facts', 'temp');
  const categories = await readInstances(files.instances, facts.write);
  await readCaptions(files.captions, facts.write);
  facts.close();
  await refuseDangling(staging, files, categories);
  await writeImages(staging, target, categories);
}

type WriteRow = (row: readonly DuckDBValue[]) => void;

async function readInstances(file: string, write: WriteRow): Promise<Map<number, string>> {
  const categories = new Map<number, string>();
  const schemas = { images: imageSchema, annotations: boxSchema, categories: categorySchema };
  for await (const batch of streamRecords(file, schemas)) {
    for (const { index, value } of batch) {
      if ('file_name' in value) write(imageRow(IMAGE_OF_INSTANCES, index, value));
      else if ('bbox' in value) write([value.image_id, BOX, index, null, value.category_id, ...value.bbox]);
      else categories.set(value.id, value.name);
    }
  }
  return categories;
}

async function readCaptions(file: string, write: WriteRow): Promise<void> {
  for await (const batch of streamRecords(file, { images: imageSchema, annotations: captionSchema })) {
    for (const { index, value } of batch) {
      if ('file_name' in value) write(imageRow(IMAGE_OF_CAPTIONS, index, value));
      else write([value.image_id, CAPTION, index, value.caption.trim(), null, null, null, null, null]);
    }
  }
}

function imageRow(kind: number, index: number, image: z.output<typeof imageSchema>): DuckDBValue[] {
  return [image.id, kind, index, image.file_name, null, null, null, image.width, image.height];
}

async function tableWriter(connection: DuckDBConnection, table: string, catalog: string | null) {
  const appender = await connection.createAppender(table, null, catalog);
  const writer = DuckDBDataChunkWriter.forAppender(appender);
  const write: WriteRow = (row) => writer.appendRow(row);
  return {
    write,
    close() {
      writer.flush();
      appender.closeSync();
    },
  };
}

async function refuseDangling(
  staging: DuckDBConnection,
  files: CocoFiles,
  categories: ReadonlyMap<number, string>,
): Promise<void> {
  const images = `SELECT image_id FROM facts WHERE kind < ${BOX}`;
  const known = [...categories.keys(), -1].join(', ');
  const checks = [
    { file: files.instances, key: 'category_id', kind: BOX, where: `category_id NOT IN (${known})`, of: 'categories' },
    { file: files.instances, key: 'image_id', kind: BOX, where: `image_id NOT IN (${images})`, of: 'images' },
    { file: files.captions, key: 'image_id', kind: CAPTION, where: `image_id NOT IN (${images})`, of: 'images' },
  ];
  for (const { file, key, kind, where, of } of checks) {
    const found = await staging.runAndReadAll(
      `SELECT place, ${key} FROM facts WHERE kind = ${kind} AND ${where} ORDER BY place LIMIT 1`,
    );
    const [first] = found.getRows();
    if (first === undefined) continue;
    const [place, value] = first;
    throw new InputError({
      file,
      field: `annotations[${place}].${key}`,
      problem: `${value} is not among the file's ${of}`,
      remedy: 'Correct this value, or add what it refers to',
    });
  }
}

const factRow = z.tuple([
  z.int(),
  z.int(),
  z.string().nullable(),
  z.int().nullable(),
  ...([z.number().nullable(), z.number().nullable(), z.number().nullable(), z.number().nullable()] as const),
]);

interface ImageUnderWay {
  id: number;
  file: [fileName: string, width: number, height: number];
  boxes: CocoBox[];
  captions: string[];
}

/** Boxes and captions are stored as one JSON text, because those of an image are always read together. */
async function writeImages(
  staging: DuckDBConnection,
  target: DuckDBConnection,
  categories: ReadonlyMap<number, string>,
): Promise<void> {
  await target.run(`
    CREATE TABLE images (
      id INTEGER, file_name VARCHAR, width INTEGER, height INTEGER,
      box_count INTEGER, caption_count INTEGER, annotations VARCHAR
    )`);
  const table = await tableWriter(target, 'images', null);
  const write = ({ id, file, boxes, captions }: ImageUnderWay) =>
    table.write([id, ...file, boxes.length, captions.length, JSON.stringify({ boxes, captions })]);
  let image: ImageUnderWay | undefined;
  const rows = await staging.stream(
    'SELECT image_id, kind, text, category_id, x, y, width, height FROM facts ORDER BY image_id, kind, place',
  );
  for await (const batch of rows.yieldRowsJs()) {
    for (const row of batch) {
      const [id, kind, text, categoryId, x, y, width, height] = factRow.parse(row);
      if (image?.id !== id) {
        if (image !== undefined) write(image);
        image = { id, file: ['', 0, 0], boxes: [], captions: [] };
      }
      if (kind === BOX) {
        const box: CocoBox['box'] = [x ?? 0, y ?? 0, width ?? 0, height ?? 0];
        image.boxes.push({ category: categories.get(categoryId ?? -1) ?? '', box });
      } else if (kind === CAPTION) image.captions.push(text ?? '');
      else image.file = [text ?? '', width ?? 0, height ?? 0];
    }
  }
  if (image !== undefined) write(image);
  table.close();
  await target.run('CREATE UNIQUE INDEX image_id ON images (id); CHECKPOINT');
}

async function flush(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } catch (cause) {
    throw new StorageError(file, cause);
  } finally {
    await handle.close();
  }
}

const ABANDONED_AFTER = 24 * 60 * 60 * 1000;

/** Removes temporary files of builders that were killed. Those of a running builder are never that old. */
async function removeAbandoned(file: string): Promise<void> {
  for (const name of await readdir(dirname(file))) {
    if (!name.startsWith(`${basename(file)}.`)) continue;
    const path = join(dirname(file), name);
    const { mtimeMs } = (await stat(path).catch(() => undefined)) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > ABANDONED_AFTER) await rm(path, { recursive: true, force: true });
  }
}
