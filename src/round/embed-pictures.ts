/** What is embedded, and having the trainer do it. */
import { join } from 'node:path';
import { hashFile, hashValue } from '../core/hash.ts';
import type { Manifest } from '../core/manifest.ts';
import { writeJson } from '../core/write-file.ts';
import { aokvqaPicturePath, readAokvqa } from '../datasets/aokvqa.ts';
import { suitablePictures } from '../generation/suitable-pictures.ts';
import { baseModelHash, isOwnFamily } from './base-model.ts';
import { poolAnnotations, poolPictures, type QuestionSet, questionSet } from './dataset-paths.ts';
import { hashModelFiles } from './model-files.ts';
import { outcomeOf } from './outcome-of.ts';
import type { EmbedOutcome } from './outcomes.ts';
import { type EmbeddedImageIds, embeddingsFile, imageIdsFile } from './picture-embeddings.ts';
import { withPool } from './pool.ts';
import type { StepContext } from './step-context.ts';
import { runTrainerStep } from './trainer-step.ts';

const picturesFile = 'pictures.json';

/** What is kept of the embeddings. */
export const embeddingFiles = [embeddingsFile, imageIdsFile];

/** All that the rows depend on, and where runs that have the same share them. */
export async function whatIsEmbedded({
  config,
}: Pick<StepContext, 'config'>): Promise<{ inputs: Record<string, unknown>; cached: string }> {
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
  return { inputs, cached: join(config.cacheDirectory, 'embeddings', hashValue(inputs).slice(0, 32)) };
}

/** The pictures of the rows, first those of the pool, then those of the validation questions. */
export async function listPictures({
  config,
}: Pick<StepContext, 'config'>): Promise<{ ids: EmbeddedImageIds; pictures: string[] }> {
  const questions = questionSet(config, 'validation') as QuestionSet;
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

/**
 * Has the trainer embed pictures into a step's folder: CLIP and the vision encoders of our own families by our own
 * trainer, those of other models by PyTorch's.
 *
 * @param input.part which of all pictures; default: all
 */
export async function embedPictures(
  context: StepContext,
  {
    directory,
    step,
    inputs,
    part = (pictures) => pictures,
  }: {
    directory: string;
    step: string;
    inputs: Record<string, unknown>;
    part?: (pictures: string[]) => string[];
  },
): Promise<{ manifest: Manifest; skipped: boolean }> {
  const { config } = context;
  const clip = config.sampling.embeddings?.model;
  return runTrainerStep({
    context,
    directory,
    step,
    inputs,
    trainer: clip !== undefined || (await isOwnFamily(config)) ? 'tensorflow' : config.trainer,
    prepare: async () => {
      const { ids, pictures } = await listPictures(context);
      await writeJson(join(directory, imageIdsFile), ids);
      await writeJson(join(directory, picturesFile), part(pictures));
      return {
        kind: 'embed',
        model: clip ?? config.model.path,
        pictures: join(directory, picturesFile),
        output: join(directory, embeddingsFile),
      };
    },
    finish: async ({ metrics }) => ({ outputs: [...embeddingFiles], metrics }),
  });
}

/** What a step that embedded pictures came to. */
export function embedOutcome(done: { manifest: Manifest; skipped: boolean }): EmbedOutcome {
  return { ...outcomeOf(done), pictures: done.manifest.metrics.pictures ?? 0 };
}
