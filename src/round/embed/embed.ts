import { constants, existsSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fillFolder } from '../../core/files.ts';
import { runStepOnce } from '../../core/manifest.ts';
import { readJson } from '../../core/read-json.ts';
import type { StepContext } from '../step-context.ts';
import { directoryOf } from '../step-directory.ts';
import { embeddingFiles, embedImages, embedOutcome, whatIsEmbedded } from './embed-images.ts';
import { embedShard, joinRows } from './embed-shard.ts';
import { type EmbedOutcome, imageIdsFile, imageIdsSchema } from './results.ts';

/** Embeds all images: in shards one after another, where the config says so, which are then joined. */
export async function embed(context: StepContext): Promise<EmbedOutcome> {
  const { embeddingShards: count } = context.config.sampling;
  let seconds = 0;
  for (let shard = 0; count > 1 && shard < count; shard += 1) seconds += (await embedShard(context, { shard })).seconds;
  const joined = await joinShards(context);
  return { ...joined, seconds: joined.seconds + seconds };
}

/**
 * Embeds the images of the pool and of the validation questions, once a run: with CLIP where the config names one,
 * otherwise with the base model's vision encoder, which is never trained, so that the rows are valid for every round. Runs
 * with the same images and the same model share the rows. Where the images were embedded in shards, these are joined.
 *
 * @throws InputError when a shard has not finished
 */
export async function joinShards(context: StepContext): Promise<EmbedOutcome> {
  const { config, run } = context;
  const directory = directoryOf(run, 0, 'embed') as string;
  const { inputs, cached } = await whatIsEmbedded(context);
  const step = { directory, step: 'embed', inputs };
  if (existsSync(cached)) {
    return embedOutcome(await runStepOnce({ ...step, work: () => takeFromCache(cached, directory) }));
  }
  const done =
    config.sampling.embeddingShards > 1
      ? await runStepOnce({ ...step, work: () => joinRows(context, directory) })
      : await embedImages(context, step);
  await putIntoCache(directory, cached);
  return embedOutcome(done);
}

async function takeFromCache(cached: string, directory: string) {
  for (const file of embeddingFiles)
    await copyFile(join(cached, file), join(directory, file), constants.COPYFILE_FICLONE);
  const { pool, validation } = await readJson(join(directory, imageIdsFile), imageIdsSchema);
  return { outputs: [...embeddingFiles], metrics: { images: pool.length + validation.length } };
}

async function putIntoCache(directory: string, cached: string): Promise<void> {
  if (existsSync(cached)) return;
  const fill = async (folder: string) => {
    for (const file of embeddingFiles)
      await copyFile(join(directory, file), join(folder, file), constants.COPYFILE_FICLONE);
  };
  await fillFolder(cached, fill).catch((error) => {
    // Another run was faster.
    if (!existsSync(cached)) throw error;
  });
}
