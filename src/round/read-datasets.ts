/**
 * Reads, and thereby checks, all datasets of a config.
 */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { fileExists } from '../core/files.ts';
import { InputError } from '../core/input-error.ts';
import { joinInside } from '../core/inside.ts';
import { countBy } from '../core/records.ts';
import { imagesOf } from '../datasets/train-dataset.ts';
import type { Benchmark, CheckedQuestions } from '../evaluation/benchmarks/benchmark.ts';
import { benchmarkNames, benchmarkOf } from '../evaluation/benchmarks/index.ts';
import { imagesInPool } from '../generation/sample-requests.ts';
import { imagesOfQuestion } from '../trainer/job-files.ts';
import { type DataProblem, pathUnder, problemOf } from './data-problem.ts';
import { poolFolder, withPool } from './dataset-paths.ts';
import { configuredSets, type EvaluationSet } from './evaluation-sets.ts';
import { baseDataset } from './mixture-parts.ts';

/** An image that a run may read, with its size by the annotations. */
export interface UsedImage {
  /** Absolute path. */
  file: string;
  width?: number;
  height?: number;
}

export interface DatasetsRead {
  /** Of all sets that a round's model is scored on; a set with a blind one beside it counts twice. */
  questions: number;
  /** Each once, in a fixed order. */
  images: UsedImage[];
  problems: DataProblem[];
  /** The files of which records are left out. */
  leftOut: LeftOutRecords[];
}

/** The records of a file that are left out of training or scores. */
export interface LeftOutRecords {
  /** The file, relative to the data root when it lies there. */
  item: string;
  countsByReason: Readonly<Record<string, number>>;
}

/**
 * Reads what the config names under its data root, and the official files of benchmarks that lie there too. Reading
 * continues after a problem.
 *
 * @param options.sets the sets that a round's model is scored on; default: the config's
 * @param options.extractedImages folder for the images that benchmark files contain; without it, these are not checked
 */
export async function readDatasets(
  config: Config,
  options: { sets?: readonly EvaluationSet[]; extractedImages?: string } = {},
): Promise<DatasetsRead> {
  const images = new Map<string, UsedImage>();
  const problems: DataProblem[] = [];
  const leftOut: LeftOutRecords[] = [];
  let questions = 0;
  const attempt = async (read: () => Promise<void>) => {
    try {
      await read();
    } catch (error) {
      const found = problemOf(error, config.data.root);
      // Two datasets may share a file.
      if (!problems.some(({ error }) => error.message === found.error.message)) problems.push(found);
    }
  };
  const noteLeftOut = (path: string, countsByReason: Readonly<Record<string, number>>) => {
    if (Object.keys(countsByReason).length === 0) return;
    leftOut.push({ item: pathUnder(config.data.root, path), countsByReason });
  };
  const use = (image: UsedImage) => {
    images.set(image.file, { ...images.get(image.file), ...image });
  };

  const validation = config.finetune.validationLoss?.dataset;
  for (const part of validation ? [...config.data.train, validation] : config.data.train) {
    const { dataset, ...source } = baseDataset(config, part);
    await attempt(async () => {
      const reasons: string[] = [];
      for await (const record of dataset.read(source, (reason) => reasons.push(reason))) {
        for (const file of imagesOf(record)) use({ file });
      }
      noteLeftOut(
        source.path,
        countBy(reasons, (reason) => reason),
      );
    });
  }
  const { sets = configuredSets(config), extractedImages } = options;
  for (const group of groupBySource(sets)) {
    await attempt(async () => {
      const read = await readQuestions(group[0] as EvaluationSet, extractedImages);
      questions += group.length * read.questions;
      noteLeftOut((group[0] as EvaluationSet).file, read.leftOut ?? {});
      if (group.some(({ blind }) => !blind)) for (const file of read.images) use({ file });
    });
  }
  await attempt(() =>
    withPool(config, async (pool) => {
      const { path } = poolFolder(config);
      for (const { fileName, width, height } of imagesInPool(await pool.list(), config.sampling)) {
        use({
          file: joinInside(path, fileName),
          ...(width !== undefined && height !== undefined && { width, height }),
        });
      }
      noteLeftOut(path, pool.leftOut ?? {});
    }),
  );
  for (const name of benchmarkNames) await attempt(() => checkOtherFiles(config.data.root, benchmarkOf(name), sets));
  return { questions, images: [...images.values()], problems, leftOut };
}

/** Groups the sets that have the same questions: with and without images, ranked and written. */
function groupBySource(sets: readonly EvaluationSet[]): EvaluationSet[][] {
  const groups = new Map<string, EvaluationSet[]>();
  for (const set of sets) {
    const source = JSON.stringify([set.benchmark, set.file, set.images, set.limit, set.questions]);
    groups.set(source, [...(groups.get(source) ?? []), set]);
  }
  return [...groups.values()];
}

async function readQuestions(set: EvaluationSet, extractedImages: string | undefined): Promise<CheckedQuestions> {
  const { read, check } = benchmarkOf(set.benchmark);
  if (check !== undefined && extractedImages === undefined) return check(set);
  const questions = await read({ ...set, extractedImages: extractedImages ?? '' });
  const leftOut = set.questions?.skipInvalid ? (await check?.(set))?.leftOut : undefined;
  return { questions: questions.length, images: questions.flatMap(imagesOfQuestion), ...(leftOut && { leftOut }) };
}

/** Checks the files in a benchmark's official folder, where it exists, that are not in the config. */
async function checkOtherFiles(
  root: string,
  { officialFiles, check, read }: Benchmark,
  sets: readonly EvaluationSet[],
): Promise<void> {
  if (officialFiles === undefined) return;
  const folder = join(root, officialFiles.folder);
  if (!(await fileExists(folder))) return;
  const files = (await readdir(folder)).filter((name) => name.endsWith(officialFiles.extension)).sort();
  if (files.length === 0) {
    const problem = `no such file: *${officialFiles.extension}`;
    throw new InputError({ file: folder, problem, remedy: 'Download the benchmark again' });
  }
  const known = new Set(sets.map(({ file }) => file));
  for (const file of files.map((name) => join(folder, name)).filter((path) => !known.has(path))) {
    await (check?.({ file }) ?? read({ file, images: folder, extractedImages: '' }));
  }
}
