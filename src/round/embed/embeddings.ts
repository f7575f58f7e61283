/**
 * The embeddings of a run: one row an image, of the pool and of the validation questions.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { readJson } from '../../core/read-json.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { openSafetensors } from '../../model/files/safetensors.ts';
import { nearestInPool } from '../sample/nearest-in-pool.ts';
import { directoryOf, shardsDirectory } from '../step-directory.ts';

export const embeddingsFile = 'embeddings.safetensors';
export const imageIdsFile = 'image_ids.json';
export const imageIdsSchema = z.object({ pool: z.array(z.number().int()), validation: z.array(z.number().int()) });

/** The image ids of the rows: first those of the pool, then those of the validation questions. */
export type EmbeddedImageIds = z.output<typeof imageIdsSchema>;

/** `<run>/embeddings/` */
export function embeddingsDirectory(run: RunDirectory): string {
  return directoryOf(run, 0, 'embed') as string;
}

/** The folder of one part of them: `<run>/embedding-shards/<i>-of-<n>/` */
export function embeddingShardDirectory(run: RunDirectory, shard: number, count: number): string {
  return join(shardsDirectory(run, 0, 'embed'), `${shard}-of-${count}`);
}

/**
 * For each of the given images of the validation questions, the images of the pool nearest to it, closest first.
 *
 * @param input.count how many
 */
export async function findNearestInPool(input: {
  run: RunDirectory;
  imageIds: Iterable<number>;
  count: number;
  signal?: AbortSignal;
}): Promise<ReadonlyMap<number, readonly number[]>> {
  const directory = embeddingsDirectory(input.run);
  const { pool, validation } = await readJson(join(directory, imageIdsFile), imageIdsSchema);
  const { embeddings, width } = await readEmbeddings(join(directory, embeddingsFile));
  const imageIds = [...new Set(input.imageIds)];
  return nearestInPool({ embeddings, width, pool, others: validation }, imageIds, input.count, input.signal);
}

/** Rows of `width` numbers each, one after another. */
export interface EmbeddingRows {
  embeddings: Float32Array;
  width: number;
}

/** The rows of a file. */
export async function readEmbeddings(file: string): Promise<EmbeddingRows> {
  const tensors = await openSafetensors(file);
  try {
    const width = tensors.tensors.get('embeddings')?.shape[1] ?? 0;
    return { embeddings: await tensors.read('embeddings'), width };
  } finally {
    await tensors.close();
  }
}
