import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance, INTEGER } from '@duckdb/node-api';
import { z } from 'zod';
import { hashFile, hashValue } from '../store/hash.ts';
import { inputErrorOfFile } from '../store/read-json.ts';
import { buildCocoIndex, cocoIndexVersion } from './build-coco-index.ts';
import type { CocoFiles, CocoIndex, CocoPicture } from './coco.ts';

/**
 * Opens the index of COCO's annotations, for as long as the work takes, and builds it first when the cache has none
 * for files of this content.
 *
 * The index is a DuckDB file: an embedded database that is well kept, comes built for every platform without an
 * install script, sorts and joins within a set amount of memory, and may be read by any number of processes.
 *
 * @param cacheFolder where indexes are kept, by content; safe to share between processes
 * @throws InputError naming file and place of what is wrong in the annotations
 */
export async function withCoco<R>(
  files: CocoFiles,
  cacheFolder: string,
  work: (coco: CocoIndex) => Promise<R>,
): Promise<R> {
  const file = await cocoIndexFile(files, cacheFolder);
  const instance = await DuckDBInstance.fromCache(file, {
    access_mode: 'READ_ONLY',
    memory_limit: '256MB',
    threads: '2',
  });
  const connection = await instance.connect();
  try {
    return await work(await openIndex(connection));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** The index file for annotations of this content, built when it is not there. */
export async function cocoIndexFile(files: CocoFiles, cacheFolder: string): Promise<string> {
  const content = {
    version: cocoIndexVersion,
    instances: await hashOf(files.instances),
    captions: await hashOf(files.captions),
  };
  const file = join(cacheFolder, `${hashValue(content).slice(0, 32)}.duckdb`);
  if (!existsSync(file)) await buildCocoIndex(files, file);
  return file;
}

const pictureRow = z.tuple([z.int(), z.string(), z.int(), z.int(), z.int(), z.int()]);
const annotationsSchema = z.object({
  boxes: z.array(z.object({ category: z.string(), box: z.tuple([z.number(), z.number(), z.number(), z.number()]) })),
  captions: z.array(z.string()),
});

async function openIndex(connection: DuckDBConnection): Promise<CocoIndex> {
  const pictures: CocoPicture[] = [];
  const list = await connection.stream(
    'SELECT id, file_name, width, height, box_count, caption_count FROM pictures ORDER BY id',
  );
  for await (const rows of list.yieldRowsJs()) {
    for (const row of rows) {
      const [id, fileName, width, height, boxCount, captionCount] = pictureRow.parse(row);
      pictures.push({ id, fileName, width, height, boxCount, captionCount });
    }
  }
  const positions = new Map(pictures.map(({ id }, position) => [id, position]));
  const lookup = await connection.prepare('SELECT annotations FROM pictures WHERE id = ?');
  const find = async (imageId: number) => {
    lookup.bind([imageId], [INTEGER]);
    const [row] = (await lookup.runAndReadAll()).getRows();
    return annotationsSchema.parse(JSON.parse(String(row?.[0])));
  };
  // One statement serves all reads, so one read at a time binds its parameter and runs it.
  let queue: Promise<unknown> = Promise.resolve();
  return {
    pictures,
    async read(imageId) {
      const picture = pictures[positions.get(imageId) ?? -1];
      if (picture === undefined) throw new Error(`Picture ${imageId} is not among the annotations`);
      const found = queue.then(() => find(imageId));
      queue = found.catch(() => undefined);
      return { ...picture, ...(await found) };
    },
  };
}

/** The hash of a file that a person named. */
async function hashOf(file: string): Promise<string> {
  try {
    return await hashFile(file);
  } catch (error) {
    throw inputErrorOfFile(file, error);
  }
}
