/** The embeddings in shards, each by another GPU worker. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runStepOnce, type StepResult } from '../../core/manifest.ts';
import { writeJson } from '../../core/write-file.ts';
import { writeSafetensors } from '../../model/files/safetensors.ts';
import { itemsOfShard, requireShard } from '../shards.ts';
import type { StepContext } from '../step-context.ts';
import { embeddingShardDirectory } from '../step-directory.ts';
import { embeddingFiles, embedImages, embedOutcome, listImages, whatIsEmbedded } from './embed-images.ts';
import { type EmbeddingRows, type EmbedOutcome, embeddingsFile, imageIdsFile, readEmbeddings } from './results.ts';

/** Embeds one shard of the images: `<run>/embedding-shards/<i>-of-<n>/`. Rows that runs share are not computed again. */
export async function embedShard(context: StepContext, { shard }: { shard: number }): Promise<EmbedOutcome> {
  const { embeddingShards: count } = context.config.sampling;
  const { inputs, cached } = await whatIsEmbedded(context);
  const step = {
    directory: embeddingShardDirectory(context, { shard }),
    step: 'embed-shard',
    inputs: { ...inputs, shard, count },
  };
  const shardOf = <T>(all: T[]) => itemsOfShard(all, shard, count);
  if (!existsSync(cached)) return embedOutcome(await embedImages(context, { ...step, shardOf }));
  const work = async () => {
    const { embeddings, width } = await readEmbeddings(join(cached, embeddingsFile));
    const rows = shardOf(Array.from({ length: embeddings.length / width }, (_, row) => row));
    const [first = 0] = rows;
    const own = embeddings.slice(first * width, (first + rows.length) * width);
    await writeRows(step.directory, { embeddings: own, width });
    return { outputs: [embeddingsFile], metrics: { images: rows.length } };
  };
  return embedOutcome(await runStepOnce({ ...step, work }));
}

/** Writes the rows of all shards into a step's folder. @throws InputError when a shard has not finished */
export async function joinRows(context: StepContext, directory: string): Promise<StepResult> {
  const { embeddingShards: count } = context.config.sampling;
  const shards: EmbeddingRows[] = [];
  for (let shard = 0; shard < count; shard += 1) {
    const folder = embeddingShardDirectory(context, { shard });
    await requireShard(context, 'embed', folder, { weights: true });
    shards.push(await readEmbeddings(join(folder, embeddingsFile)));
  }
  // A shard without images may not know how wide a row is.
  const width = Math.max(...shards.map((shard) => shard.width));
  const embeddings = new Float32Array(shards.reduce((length, shard) => length + shard.embeddings.length, 0));
  let offset = 0;
  for (const shard of shards) {
    embeddings.set(shard.embeddings, offset);
    offset += shard.embeddings.length;
  }
  const { ids, images } = await listImages(context);
  await writeJson(join(directory, imageIdsFile), ids);
  await writeRows(directory, { embeddings, width });
  return { outputs: [...embeddingFiles], metrics: { images: images.length } };
}

function writeRows(directory: string, { embeddings, width }: EmbeddingRows): Promise<void> {
  const shape = [width === 0 ? 0 : embeddings.length / width, width];
  return writeSafetensors(join(directory, embeddingsFile), [{ name: 'embeddings', shape, data: embeddings }]);
}
