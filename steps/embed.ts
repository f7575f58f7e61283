import { constants, existsSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { aokvqaPicturePath, readAokvqa } from '../datasets/aokvqa.ts';
import { fillFolder } from '../datasets/fill-folder.ts';
import { suitablePictures } from '../generation/suitable-pictures.ts';
import { hashFile, hashValue } from '../store/hash.ts';
import { type Manifest, runStepOnce } from '../store/manifest.ts';
import { readJson } from '../store/read-json.ts';
import { writeJson } from '../store/write-file.ts';
import { baseModelHash, isOwnFamily } from './base-model.ts';
import { poolAnnotations, poolPictures, type QuestionSet, questionSet } from './dataset-paths.ts';
import { hashModelFiles } from './model-files.ts';
import { outcomeOf } from './outcome-of.ts';
import type { EmbedOutcome } from './outcomes.ts';
import {
  type EmbeddedImageIds,
  embeddingsDirectory,
  embeddingsFile,
  imageIdsFile,
  imageIdsSchema,
} from './picture-embeddings.ts';
import { withPool } from './pool.ts';
import type { StepContext } from './step-context.ts';
import { runTrainerStep } from './trainer-step.ts';

const picturesFile = 'pictures.json';

/**
 * Embeds the pictures of the pool and of the validation questions, once a run: with CLIP where the config names one,
 * else with the base model's vision encoder, which is never trained, so the rows hold for every round. CLIP and the vision
 * encoders of our own families are computed by our own trainer, those of other models by PyTorch's. Runs with the same
 * pictures and the same model share the rows.
 */
export async function embed(context: StepContext): Promise<EmbedOutcome> {
  const { config, run } = context;
  const directory = embeddingsDirectory(run);
  const annotations = poolAnnotations(config);
  const questions = questionSet(config, 'validation') as QuestionSet;
  const clip = config.sampling.embeddings?.model;
  const inputs = {
    model: clip === undefined ? await baseModelHash(config) : hashValue(await hashModelFiles(clip)),
    instances: await hashFile(annotations.instances),
    captions: await hashFile(annotations.captions),
    questions: await hashFile(questions.file),
    limit: questions.limit,
    maximumBoxes: config.sampling.maximumBoxes,
  };
  const cached = join(config.cacheDirectory, 'embeddings', hashValue(inputs).slice(0, 32));
  if (existsSync(cached)) return outcome(await takeFromCache(cached, directory, inputs));
  const done = await runTrainerStep({
    context,
    directory,
    step: 'embed',
    inputs,
    trainer: clip !== undefined || (await isOwnFamily(config)) ? 'tensorflow' : config.trainer,
    prepare: async () => {
      const { ids, pictures } = await listPictures(context, questions);
      await writeJson(join(directory, imageIdsFile), ids);
      await writeJson(join(directory, picturesFile), pictures);
      return {
        kind: 'embed',
        model: clip ?? config.model.path,
        pictures: join(directory, picturesFile),
        output: join(directory, embeddingsFile),
      };
    },
    finish: async ({ metrics }) => ({ outputs: [...kept], metrics }),
  });
  await putIntoCache(directory, cached);
  return outcome(done);
}

const kept = [embeddingsFile, imageIdsFile];

function outcome(done: { manifest: Manifest; skipped: boolean }): EmbedOutcome {
  return { ...outcomeOf(done), pictures: done.manifest.metrics.pictures ?? 0 };
}

async function takeFromCache(cached: string, directory: string, inputs: Record<string, unknown>) {
  return runStepOnce({
    directory,
    step: 'embed',
    inputs,
    work: async () => {
      for (const file of kept) await copyFile(join(cached, file), join(directory, file), constants.COPYFILE_FICLONE);
      const { pool, validation } = await readJson(join(directory, imageIdsFile), imageIdsSchema);
      return { outputs: [...kept], metrics: { pictures: pool.length + validation.length } };
    },
  });
}

async function putIntoCache(directory: string, cached: string): Promise<void> {
  if (existsSync(cached)) return;
  const fill = async (folder: string) => {
    for (const file of kept) await copyFile(join(directory, file), join(folder, file), constants.COPYFILE_FICLONE);
  };
  await fillFolder(cached, fill).catch((error) => {
    // Another run was faster.
    if (!existsSync(cached)) throw error;
  });
}

async function listPictures(
  { config }: StepContext,
  questions: QuestionSet,
): Promise<{ ids: EmbeddedImageIds; pictures: string[] }> {
  const pool = await withPool(config, async (coco) =>
    suitablePictures(await coco.list(), config.sampling.maximumBoxes),
  );
  const asked = (await readAokvqa(questions.file)).slice(0, questions.limit);
  const validation = [...new Set(asked.map((question) => question.image_id))].sort((left, right) => left - right);
  return {
    ids: { pool: pool.map((picture) => picture.id), validation },
    pictures: [
      ...pool.map((picture) => join(poolPictures(config), picture.fileName)),
      ...validation.map((imageId) => aokvqaPicturePath(questions.pictures, imageId)),
    ],
  };
}
