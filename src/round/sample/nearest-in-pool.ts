import { join } from 'node:path';
import type { ImageId } from '../../core/images/image-id.ts';
import { readJson } from '../../core/read-json.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { nearestImages } from '../../generation/nearest-images.ts';
import { nearestRows } from '../../model/nearest-rows.ts';
import { embeddingsFile, imageIdsFile, imageIdsSchema, readEmbeddings } from '../embed/results.ts';
import { directoryOf } from '../step-directory.ts';

/** Queries in one product. */
const batchSize = 64;
/** Candidates beyond the requested number, so that rounding in the products decides nothing. */
const margin = 64;

/**
 * For each of the given images of the validation questions, the images of the run's pool that are nearest to it, closest
 * first.
 *
 * @param input.count how many
 */
export async function findNearestInPool(input: {
  run: RunDirectory;
  imageIds: Iterable<ImageId>;
  count: number;
  signal?: AbortSignal;
}): Promise<ReadonlyMap<ImageId, readonly ImageId[]>> {
  const directory = directoryOf(input.run, 0, 'embed') as string;
  const { pool, validation } = await readJson(join(directory, imageIdsFile), imageIdsSchema);
  const { embeddings, width } = await readEmbeddings(join(directory, embeddingsFile));
  const imageIds = [...new Set(input.imageIds)];
  return nearestInPool({ embeddings, width, pool, others: validation }, imageIds, input.count, input.signal);
}

/** Embeddings of a pool's images and of images to search for. */
export interface EmbeddedImages {
  /** float32, a row an image, each of length one: first the pool's, then the others'. */
  embeddings: Float32Array;
  width: number;
  pool: readonly ImageId[];
  others: readonly ImageId[];
}

/**
 * For each of the given images, the images of the pool that are nearest to it by cosine, closest first.
 *
 * TensorFlow finds the candidates for many images at a time. Their order is then computed in double precision, so that it
 * is the same on every machine, whichever way its processor rounds a product.
 */
export async function nearestInPool(
  { embeddings, width, pool, others }: EmbeddedImages,
  imageIds: readonly ImageId[],
  count: number,
  signal?: AbortSignal,
): Promise<Map<ImageId, ImageId[]>> {
  const rowOf = new Map(others.map((id, index) => [id, pool.length + index]));
  const row = (number: number) => embeddings.subarray(number * width, (number + 1) * width);
  const rows = embeddings.subarray(0, pool.length * width);
  const queryOf = (imageId: ImageId) => {
    const number = rowOf.get(imageId);
    if (number === undefined) throw new Error(`Image ${imageId} has no embedding`);
    return row(number);
  };
  const nearest = new Map<ImageId, ImageId[]>();
  for (let start = 0; start < imageIds.length; start += batchSize) {
    const batch = imageIds.slice(start, start + batchSize);
    const queries = new Float32Array(batch.length * width);
    batch.forEach((imageId, index) => queries.set(queryOf(imageId), index * width));
    const candidates = await nearestRows({ rows, queries, width, count: count + margin, signal });
    batch.forEach((imageId, index) => {
      // In the order of the pool, which decides between images equally near.
      const found = (candidates[index] as Uint32Array).sort();
      const gathered = new Float32Array(found.length * width);
      found.forEach((number, place) => gathered.set(row(number), place * width));
      const ids = Array.from(found, (number) => pool[number] as ImageId);
      const query = queryOf(imageId);
      nearest.set(imageId, nearestImages({ embeddings: gathered, width, imageIds: ids, query, count }));
    });
  }
  return nearest;
}
