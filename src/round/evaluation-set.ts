/**
 * The questions and images of all evaluations, for the check that nothing of them is trained on.
 */

import { stat } from 'node:fs/promises';
import limitConcurrency from 'p-limit';
import type { Config } from '../config/schema.ts';
import { hashFile } from '../core/hash.ts';
import type { ImageId } from '../core/images/image-id.ts';
import { joinInside } from '../core/inside.ts';
import type { RunDirectory } from '../core/run-directory.ts';
import type { PoolImage } from '../datasets/coco.ts';
import { benchmarkOf } from '../evaluation/benchmarks/index.ts';
import { questionText } from '../generation/duplicates.ts';
import { leakFinder } from '../generation/leaks.ts';
import { imagesOfQuestion } from '../trainer/job-files.ts';
import { configuredSplits, poolFolder, type QuestionSet, questionSet } from './dataset-paths.ts';
import {
  type EvaluationSet,
  evaluationSets,
  extractedImagesFolder,
  hashQuestions,
  readEvaluationSet,
  requireEvaluationSet,
} from './evaluation-sets.ts';
import { questionInputs, readLoopSet } from './loop-questions.ts';
import type { StepContext } from './step-context.ts';

function questionSets(config: Config): QuestionSet[] {
  return configuredSplits(config).map((split) => questionSet(config, split) as QuestionSet);
}

/** The hashes of the validation and test files: `evaluatedImages` depends on them. */
export async function questionFiles(config: Config): Promise<unknown[]> {
  return Promise.all(
    questionSets(config).map(async (set) => {
      const { questions } = await questionInputs(set);
      return questions;
    }),
  );
}

/** The hashes of all files that anything is evaluated on: the leak check depends on them. */
export async function evaluationFiles({ config, run }: Pick<StepContext, 'config' | 'run'>): Promise<string[]> {
  return Promise.all(evaluatedFiles(config, run).map(hashQuestions));
}

/**
 * The ids of all images of the validation and test questions, and of the images of the pool with the same content, where that
 * is known. A limit on the questions does not matter here.
 */
export async function evaluatedImages(
  { config, run, signal }: Pick<StepContext, 'config' | 'run' | 'signal'>,
  pool: readonly PoolImage[],
): Promise<Set<ImageId>> {
  const ids = new Set<ImageId>();
  const files = new Set<string>();
  for (const split of configuredSplits(config)) {
    const isOwn = questionSet(config, split)?.questions !== undefined;
    const set = { ...requireEvaluationSet(config, run, split), limit: undefined };
    for (const { image_id, image } of await readLoopSet(set, run)) {
      // Paths in two folders may be the same; COCO's numbers are not.
      if (!isOwn) ids.add(image_id);
      if (image !== undefined) files.add(image);
    }
  }
  const knowsContent = pool.some(({ sha256 }) => sha256 !== undefined);
  const contents = new Set(knowsContent ? (await hashesOf([...files], signal)).values() : []);
  const { path } = poolFolder(config);
  for (const { id, fileName, sha256 } of pool) {
    if ((sha256 !== undefined && contents.has(sha256)) || files.has(joinInside(path, fileName))) ids.add(id);
  }
  return ids;
}

/**
 * Makes the leak check of `src/generation/leaks.ts` for new samples about these images, of validation, test and all
 * benchmarks of the config. Images are compared by their files' content too; an image of an evaluation that is not on
 * this machine is compared by its id only.
 */
export async function leakFinderOf(
  { config, run, signal }: Pick<StepContext, 'config' | 'run' | 'signal'>,
  imageIds: readonly ImageId[],
): Promise<ReturnType<typeof leakFinder>> {
  const questions = new Map<string, { question_id: string; question: string; choices: readonly string[] }>();
  const images = new Set<string>();
  const evaluatedIds = new Set<ImageId>();
  for (const set of evaluatedFiles(config, run)) {
    for (const asked of await readEvaluationSet({ ...set, limit: undefined }, extractedImagesFolder(run))) {
      const { question, choices, answers = [], imageId } = benchmarkOf(set.benchmark).content(asked);
      // Of a short answer each of the right ones stands where the choices do.
      for (const listed of choices.length > 0 || answers.length === 0 ? [choices] : answers.map((answer) => [answer])) {
        // Rotations of a question have the same text.
        const text = questionText({ question, choices: listed });
        if (questions.has(text)) continue;
        questions.set(text, { question_id: `${set.name}/${asked.id}`, question, choices: listed });
      }
      for (const image of imagesOfQuestion(asked)) images.add(image);
      if (imageId !== undefined) evaluatedIds.add(imageId);
    }
  }
  const evaluated = await hashesOf([...images], signal);
  const folder = poolFolder(config);
  const pool = new Map<string, ImageId>();
  for (const id of new Set(imageIds)) pool.set(await folder.fileOf(id), id);
  const hashes = await hashesOf([...pool.keys()], signal);
  const hashOfImage = new Map([...hashes].map(([file, hash]) => [pool.get(file) as ImageId, hash]));
  const { evaluationSimilarity } = config.refine;
  return leakFinder(
    { imageIds: evaluatedIds, imageHashes: new Set(evaluated.values()), questions: [...questions.values()] },
    evaluationSimilarity === 'off' ? undefined : evaluationSimilarity,
    (imageId) => hashOfImage.get(imageId),
  );
}

/** The sets of the config, one per file: a file may be used with and without images. */
function evaluatedFiles(config: Config, run: RunDirectory): EvaluationSet[] {
  const sets = evaluationSets(config, run);
  return sets.filter(
    ({ file, benchmark }, index) =>
      sets.findIndex((other) => other.file === file && other.benchmark === benchmark) === index,
  );
}

async function hashesOf(files: readonly string[], signal: AbortSignal): Promise<Map<string, string>> {
  const limit = limitConcurrency(8);
  const hashes = new Map<string, string>();
  await Promise.all(
    files.map((file) =>
      limit(async () => {
        signal.throwIfAborted();
        // A pipe or a device would never end.
        const isFile = await stat(file).then(
          (facts) => facts.isFile(),
          () => false,
        );
        if (isFile) hashes.set(file, await hashFile(file));
      }),
    ),
  );
  return hashes;
}
