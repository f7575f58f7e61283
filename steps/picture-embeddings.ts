/**
 * The embeddings of a run: one row a picture, of the pool and of the validation questions.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { nearestPictures } from '../generation/nearest-pictures.ts';
import { openSafetensors } from '../model/files/safetensors.ts';
import { readJson } from '../store/read-json.ts';
import type { RunDirectory } from '../store/run-directory.ts';

export const embeddingsFile = 'embeddings.safetensors';
export const imageIdsFile = 'image_ids.json';
export const imageIdsSchema = z.object({ pool: z.array(z.number().int()), validation: z.array(z.number().int()) });

/** The image ids of the rows: first those of the pool, then those of the validation questions. */
export type EmbeddedImageIds = z.output<typeof imageIdsSchema>;

/** `<run>/embeddings/` */
export function embeddingsDirectory(run: RunDirectory): string {
  return join(run.root, 'embeddings');
}

/** Finds the pictures of the pool that are nearest to a picture of the validation questions, closest first. */
export type NearestInPool = (imageId: number) => readonly number[];

/**
 * Reads the run's embeddings and returns the search over them. Each picture is searched for once.
 *
 * @param count how many pictures a search returns
 */
export async function openNearestInPool(run: RunDirectory, count: number): Promise<NearestInPool> {
  const directory = embeddingsDirectory(run);
  const ids = await readJson(join(directory, imageIdsFile), imageIdsSchema);
  const { embeddings, width } = await readEmbeddings(join(directory, embeddingsFile));
  const pool = embeddings.subarray(0, ids.pool.length * width);
  const rowOf = new Map(ids.validation.map((imageId, index) => [imageId, ids.pool.length + index]));
  const found = new Map<number, number[]>();
  return (imageId) => {
    const known = found.get(imageId);
    if (known !== undefined) return known;
    const row = rowOf.get(imageId);
    if (row === undefined) throw new Error(`picture ${imageId} has no embedding in ${directory}`);
    const query = embeddings.subarray(row * width, (row + 1) * width);
    const nearest = nearestPictures({ embeddings: pool, width, imageIds: ids.pool, query, count });
    found.set(imageId, nearest);
    return nearest;
  };
}

async function readEmbeddings(file: string): Promise<{ embeddings: Float32Array; width: number }> {
  const tensors = await openSafetensors(file);
  try {
    const width = tensors.tensors.get('embeddings')?.shape[1] ?? 0;
    return { embeddings: await tensors.read('embeddings'), width };
  } finally {
    await tensors.close();
  }
}
