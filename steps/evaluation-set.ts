/**
 * What the model is measured by, for the check that none of it is trained on.
 */
import limitConcurrency from 'p-limit';
import type { Config } from '../configs/schema.ts';
import { aokvqaPicturePath, readAokvqa } from '../datasets/aokvqa.ts';
import { leakFinder } from '../generation/leaks.ts';
import { hashFile } from '../store/hash.ts';
import { configuredSplits, poolPictures, type QuestionSet, questionSet } from './dataset-paths.ts';

function questionSets(config: Config): QuestionSet[] {
  return configuredSplits(config).map((split) => questionSet(config, split) as QuestionSet);
}

/** The hashes of the evaluation's question files: the check depends on them. */
export async function evaluationFiles(config: Config): Promise<string[]> {
  return Promise.all(questionSets(config).map(({ file }) => hashFile(file)));
}

/** The ids of all pictures that are asked about in an evaluation. A limit on the questions does not matter here. */
export async function evaluationImageIds(config: Config): Promise<Set<number>> {
  const ids = new Set<number>();
  for (const { file } of questionSets(config)) {
    for (const { image_id } of await readAokvqa(file)) ids.add(image_id);
  }
  return ids;
}

/**
 * Makes the leak check of `generation/leaks.ts` for new samples about these pictures. Pictures are compared by their
 * files' content too; a picture of an evaluation that is not on this disk can only be compared by its id.
 */
export async function leakFinderOf(
  config: Config,
  imageIds: readonly number[],
  signal: AbortSignal,
): Promise<ReturnType<typeof leakFinder>> {
  const questions = [];
  const pictures = new Set<string>();
  for (const { file, pictures: folder } of questionSets(config)) {
    for (const question of await readAokvqa(file)) {
      questions.push(question);
      pictures.add(aokvqaPicturePath(folder, question.image_id));
    }
  }
  const evaluated = await hashesOf([...pictures], signal);
  const pool = new Map([...new Set(imageIds)].map((id) => [aokvqaPicturePath(poolPictures(config), id), id]));
  const hashes = await hashesOf([...pool.keys()], signal);
  const hashOfImage = new Map([...hashes].map(([file, hash]) => [pool.get(file) as number, hash]));
  const { evaluationSimilarity } = config.refine;
  return leakFinder(
    {
      imageIds: new Set(questions.map(({ image_id }) => image_id)),
      pictureHashes: new Set(evaluated.values()),
      questions,
    },
    evaluationSimilarity === 'off' ? undefined : evaluationSimilarity,
    (imageId) => hashOfImage.get(imageId),
  );
}

async function hashesOf(files: readonly string[], signal: AbortSignal): Promise<Map<string, string>> {
  const limit = limitConcurrency(8);
  const hashes = new Map<string, string>();
  await Promise.all(
    files.map((file) =>
      limit(async () => {
        signal.throwIfAborted();
        const hash = await hashFile(file).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return undefined;
          throw error;
        });
        if (hash !== undefined) hashes.set(file, hash);
      }),
    ),
  );
  return hashes;
}
