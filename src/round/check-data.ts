/**
 * Finds everything in the data of a config that is missing, cut short or inconsistent, before GPU time is spent.
 */
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import limitConcurrency from 'p-limit';
import type { Config } from '../config/schema.ts';
import type { OpenSettings } from '../core/images/open-image.ts';
import { InputError } from '../core/input-error.ts';
import { openRunDirectory, type RunDirectory } from '../core/run-directory.ts';
import { checkImage } from '../datasets/check-images.ts';
import { type DataProblem, joinProblems, pathUnder, problemOf } from './data-problem.ts';
import type { Place } from './preflight/check.ts';
import { type Preflight, preflight } from './preflight/preflight.ts';
import { type LeftOutRecords, readDatasets, type UsedImage } from './read-datasets.ts';
import type { StepContext } from './step-context.ts';
import { describeCounts } from './steps.ts';

export interface CheckOptions extends OpenSettings {
  signal: AbortSignal;
  onProgress: (progress: { phase: string; step: number; steps: number }) => void;
}

export interface DataCheck extends Preflight {
  questions: number;
  images: number;
  /** The files of which records are left out. */
  leftOut: LeftOutRecords[];
}

/** What `checkData` is given, besides the config. */
export interface DataCheckOptions extends CheckOptions, Pick<StepContext, 'extensions' | 'asksNoTeacher'> {
  /** The run; default: that of the config's name. */
  run?: RunDirectory;
  /** What can be known here; default: all. */
  places?: readonly Place[];
}

/** Checks everything that a run of the config needs and that can be known before it: `preflight`, and every file and image. */
export async function checkData(config: Config, options: DataCheckOptions): Promise<DataCheck> {
  const { signal, extensions, asksNoTeacher, places } = options;
  const run = options.run ?? openRunDirectory(resolve(config.runsDirectory), config.run ?? 'check');
  const before = await preflight({ config, run, signal, extensions, asksNoTeacher }, { places });
  const { questions, images, problems, leftOut } = await readDatasets(config);
  return {
    ...before,
    questions,
    images: images.length,
    problems: joinProblems(
      before.problems,
      problems,
      await checkImages(config.data.root, images, { ...options, exif: config.data.exif }),
    ),
    leftOut,
  };
}

/** Decodes images. A missing folder is one problem, however many of its images are used. */
export async function checkImages(
  root: string,
  images: readonly UsedImage[],
  { signal, onProgress, exif }: CheckOptions,
): Promise<DataProblem[]> {
  const { absent, present } = await splitByFolder(root, images);
  const problems: (DataProblem | undefined)[] = [...absent];
  const limit = limitConcurrency(availableParallelism());
  let step = 0;
  const check = async (image: UsedImage): Promise<DataProblem | undefined> => {
    signal.throwIfAborted();
    try {
      refuseOtherSize(image, await checkImage(image.file, { exif }));
      return undefined;
    } catch (error) {
      return problemOf(error, root);
    } finally {
      step += 1;
      onProgress({ phase: 'check images', step, steps: present.length });
    }
  };
  try {
    problems.push(...(await Promise.all(present.map((image) => limit(check, image)))));
  } finally {
    limit.clearQueue();
  }
  return problems.filter((problem) => problem !== undefined);
}

async function splitByFolder(root: string, images: readonly UsedImage[]) {
  const folders = new Map<string, UsedImage[]>();
  for (const image of images) {
    const folder = dirname(image.file);
    const own = folders.get(folder);
    if (own) own.push(image);
    else folders.set(folder, [image]);
  }
  const absent: DataProblem[] = [];
  const present: UsedImage[] = [];
  for (const [folder, own] of folders) {
    const facts = await stat(folder).catch(() => undefined);
    if (facts?.isDirectory()) present.push(...own);
    else {
      const problem = `no such folder; ${own.length} images of it are used`;
      const remedy = 'Check the image folders of the config';
      const error = new InputError({ file: folder, problem, remedy });
      absent.push(problemOf(error, root));
    }
  }
  return { absent, present };
}

function refuseOtherSize({ file, width, height }: UsedImage, found: { width: number; height: number }): void {
  if (width === undefined || (found.width === width && found.height === height)) return;
  throw new InputError({
    file,
    problem: `is ${found.width} x ${found.height}, but the annotations say ${width} x ${height}`,
    remedy: 'Download the image again, or the annotations that belong to it',
  });
}

/** What a person reads of records that are left out. */
export function leftOutLine({ item, countsByReason }: LeftOutRecords): string {
  return `${item}: records that are left out: ${describeCounts(countsByReason)}.`;
}

/** The problems as rows of a table. Of more than `atMost` problems of a folder, the rest is a count. */
export function problemRows(problems: readonly DataProblem[], root: string, atMost: number): string[][] {
  const shown = new Map<string, number>();
  const rows: string[][] = [];
  for (const { item, problem, remedy, error } of problems) {
    const folder = dirname(error.file);
    const count = (shown.get(folder) ?? 0) + 1;
    shown.set(folder, count);
    if (count <= atMost) rows.push([item, problem, remedy]);
  }
  for (const [folder, count] of shown) {
    if (count > atMost)
      rows.push([`${pathUnder(root, folder)}/…`, `${count - atMost} more like these`, '--all lists them']);
  }
  return rows;
}
