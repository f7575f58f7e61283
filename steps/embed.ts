import { join } from 'node:path';
import { aokvqaPicturePath, readAokvqa } from '../datasets/aokvqa.ts';
import { suitablePictures } from '../generation/suitable-pictures.ts';
import { hashFile } from '../store/hash.ts';
import { writeJson } from '../store/write-file.ts';
import { baseModelHash } from './base-model.ts';
import { poolAnnotations, poolPictures, type QuestionSet, questionSet } from './dataset-paths.ts';
import { outcomeOf } from './outcome-of.ts';
import type { EmbedOutcome } from './outcomes.ts';
import { type EmbeddedImageIds, embeddingsDirectory, embeddingsFile, imageIdsFile } from './picture-embeddings.ts';
import { withPool } from './pool.ts';
import type { StepContext } from './step-context.ts';
import { runTrainerStep } from './trainer-step.ts';

const picturesFile = 'pictures.json';

/**
 * Embeds the pictures of the pool and of the validation questions with the frozen vision encoder, once a run.
 * The vision encoder is never trained, so the rows hold for every round.
 */
export async function embed(context: StepContext): Promise<EmbedOutcome> {
  const { config, run } = context;
  const directory = embeddingsDirectory(run);
  const annotations = poolAnnotations(config);
  const questions = questionSet(config, 'validation') as QuestionSet;
  const done = await runTrainerStep({
    context,
    directory,
    step: 'embed',
    inputs: {
      model: await baseModelHash(config),
      instances: await hashFile(annotations.instances),
      captions: await hashFile(annotations.captions),
      questions: await hashFile(questions.file),
      limit: questions.limit,
      maximumBoxes: config.sampling.maximumBoxes,
    },
    prepare: async () => {
      const { ids, pictures } = await listPictures(context, questions);
      await writeJson(join(directory, imageIdsFile), ids);
      await writeJson(join(directory, picturesFile), pictures);
      return {
        kind: 'embed',
        model: config.model.path,
        pictures: join(directory, picturesFile),
        output: join(directory, embeddingsFile),
      };
    },
    finish: async ({ metrics }) => ({ outputs: [embeddingsFile, imageIdsFile], metrics }),
  });
  return { ...outcomeOf(done), pictures: done.manifest.metrics.pictures ?? 0 };
}

async function listPictures(
  { config }: StepContext,
  questions: QuestionSet,
): Promise<{ ids: EmbeddedImageIds; pictures: string[] }> {
  const pool = await withPool(config, async ({ pictures }) => suitablePictures(pictures, config.sampling.maximumBoxes));
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
