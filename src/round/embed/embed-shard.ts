/** The embeddings in parts, each by another GPU worker. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../core/input-error.ts';
import { runStepOnce, type StepResult } from '../../core/manifest.ts';
import { writeJson } from '../../core/write-file.ts';
import { writeSafetensors } from '../../model/files/safetensors.ts';
import { manifestIn } from '../finished-step.ts';
import type { EmbedOutcome } from '../outcomes.ts';
import { partOf } from '../part-of.ts';
import type { StepContext } from '../step-context.ts';
import { embeddingFiles, embedImages, embedOutcome, listImages, whatIsEmbedded } from './embed-images.ts';
import {
  type EmbeddingRows,
  embeddingShardDirectory,
  embeddingsFile,
  imageIdsFile,
  readEmbeddings,
} from './embeddings.ts';

/** Embeds one part of the images: `<run>/embedding-shards/<i>-of-<n>/`. Rows that runs share are not computed again. */
export async function embedShard(context: StepContext, { shard }: { shard: number }): Promise<EmbedOutcome> {
  const { embeddingShards: count } = context.config.sampling;
  const { inputs, cached } = await whatIsEmbedded(context);
  const step = {
    directory: embeddingShardDirectory(context.run, shard, count),
    step: 'embed-shard',
    inputs: { ...inputs, shard, count },
  };
  const part = <T>(all: T[]) => partOf(all, shard, count);
  if (!existsSync(cached)) return embedOutcome(await embedImages(context, { ...step, part }));
  const work = async () => {
    const { embeddings, width } = await readEmbeddings(join(cached, embeddingsFile));
    const rows = part(Array.from({ length: embeddings.length / width }, (_, row) => row));
    const [first = 0] = rows;
    await writeRows(step.directory, {
      embeddings: embeddings.slice(first * width, (first + rows.length) * width),
      width,
    });
    return { outputs: [embeddingsFile], metrics: { images: rows.length } };
  };
  return embedOutcome(await runStepOnce({ ...step, work }));
}

/** Puts the rows of all parts together in a step's folder. @throws InputError when a part has not been done */
export async function joinParts(context: StepContext, directory: string): Promise<StepResult> {
  const { config, run } = context;
  const { embeddingShards: count } = config.sampling;
  const parts: EmbeddingRows[] = [];
  for (let shard = 0; shard < count; shard += 1) {
    const folder = embeddingShardDirectory(run, shard, count);
    if ((await manifestIn(run, folder, { weights: true })) === undefined) {
      const problem = 'this part of the images has not been embedded';
      throw new InputError({ file: folder, problem, remedy: 'Run `dataengine embed` with the same config' });
    }
    parts.push(await readEmbeddings(join(folder, embeddingsFile)));
  }
  // A part without images may not know how wide a row is.
  const width = Math.max(...parts.map((part) => part.width));
  const embeddings = new Float32Array(parts.reduce((length, part) => length + part.embeddings.length, 0));
  let at = 0;
  for (const part of parts) {
    embeddings.set(part.embeddings, at);
    at += part.embeddings.length;
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
