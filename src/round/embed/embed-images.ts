/** Which images are embedded, and the job of the trainer that embeds them. */

import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { hashValue } from '../../core/hash.ts';
import { compareImageIds } from '../../core/images/image-id.ts';
import { joinInside } from '../../core/inside.ts';
import type { Manifest } from '../../core/manifest.ts';
import { writeJson } from '../../core/write-file.ts';
import { imagesInPool } from '../../generation/sample-requests.ts';
import { inputsOfTrainer, runTrainerStep } from '../../trainer/supervisor/trainer-step.ts';
import { baseModelHash, hashModelFiles, isBuiltInFamily } from '../base-model.ts';
import { poolFolder, poolInputs, type QuestionSet, questionSet, withPool } from '../dataset-paths.ts';
import { questionInputs, readLoopQuestions } from '../loop-questions.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { type EmbeddedImageIds, type EmbedOutcome, embeddingsFile, imageIdsFile } from './results.ts';

const imagesFile = 'images.json';

/** The results of embedding. */
export const embeddingFiles = [embeddingsFile, imageIdsFile];

/** Everything that the rows depend on, and the folder in which runs with the same inputs share them. */
export async function whatIsEmbedded({
  config,
}: Pick<StepContext, 'config'>): Promise<{ inputs: Record<string, unknown>; cached: string }> {
  const questions = questionSet(config, 'validation') as QuestionSet;
  const clip = config.sampling.embeddings?.model;
  const inputs = {
    // The step's inputs are the same whether the rows are computed, which adds these to them, or taken from the cache.
    ...inputsOfTrainer(config, await embeddingTrainer(config)),
    model: clip === undefined ? await baseModelHash(config) : hashValue(await hashModelFiles(clip)),
    ...(await poolInputs(config)),
    ...(await questionInputs(questions)),
    ...(config.sampling.pool === 'all' ? { pool: 'all' } : { maximumBoxes: config.sampling.maximumBoxes }),
  };
  return { inputs, cached: join(config.cacheDirectory, 'embeddings', hashValue(inputs).slice(0, 32)) };
}

/** The images of the rows, first those of the pool, then those of the validation questions. */
export async function listImages({
  config,
  run,
}: Pick<StepContext, 'config' | 'run'>): Promise<{ ids: EmbeddedImageIds; images: string[] }> {
  const pool = await withPool(config, async (coco) => imagesInPool(await coco.list(), config.sampling));
  const asked = await readLoopQuestions({ config, run }, 'validation');
  const fileOf = new Map(asked.map(({ image_id, image }) => [image_id, image]));
  const validation = [...fileOf.keys()].sort(compareImageIds);
  const folder = poolFolder(config).path;
  return {
    ids: { pool: pool.map((image) => image.id), validation },
    images: [
      ...pool.map((image) => joinInside(folder, image.fileName)),
      ...validation.map((imageId) => fileOf.get(imageId) as string),
    ],
  };
}

/**
 * Has the trainer embed images into a step's folder: our own trainer for CLIP and the vision encoders of built-in families,
 * PyTorch's for those of other models.
 *
 * @param input.shardOf selects the images of a shard; default: all images
 */
export async function embedImages(
  context: StepContext,
  {
    directory,
    step,
    inputs,
    shardOf = (images) => images,
  }: {
    directory: string;
    step: string;
    inputs: Record<string, unknown>;
    shardOf?: (images: string[]) => string[];
  },
): Promise<{ manifest: Manifest; skipped: boolean }> {
  const { config } = context;
  const clip = config.sampling.embeddings?.model;
  return runTrainerStep({
    context,
    directory,
    step,
    inputs,
    trainer: await embeddingTrainer(config),
    prepare: async () => {
      const { ids, images } = await listImages(context);
      await writeJson(join(directory, imageIdsFile), ids);
      await writeJson(join(directory, imagesFile), shardOf(images));
      return {
        kind: 'embed',
        model: clip ?? config.model.path,
        images: join(directory, imagesFile),
        output: join(directory, embeddingsFile),
      };
    },
    finish: async ({ metrics }) => ({ outputs: [...embeddingFiles], metrics }),
  });
}

async function embeddingTrainer(config: Config): Promise<Config['trainer']> {
  const isOurs = config.sampling.embeddings !== undefined || (await isBuiltInFamily(config));
  return isOurs ? 'tensorflow' : config.trainer;
}

/** The outcome of a step that embedded images. */
export function embedOutcome(done: { manifest: Manifest; skipped: boolean }): EmbedOutcome {
  return { ...outcomeOf(done), images: done.manifest.metrics.images ?? 0 };
}
