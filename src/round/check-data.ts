/**
 * Finds everything that is missing, cut short or does not fit in the data of a config, before a GPU is taken.
 */
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import limitConcurrency from 'p-limit';
import type { Config } from '../config/schema.ts';
import { InputError } from '../core/input-error.ts';
import { checkPicture } from '../datasets/check-pictures.ts';
import { type DataProblem, pathUnder, problemOf } from './data-problem.ts';
import { readDatasets, type UsedPicture } from './read-datasets.ts';

export interface CheckOptions {
  signal: AbortSignal;
  onProgress: (progress: { phase: string; step: number; steps: number }) => void;
}

export interface DataCheck {
  questions: number;
  pictures: number;
  problems: DataProblem[];
}

/** Checks every file and picture that a run of the config may open. */
export async function checkData(config: Config, options: CheckOptions): Promise<DataCheck> {
  const { questions, pictures, problems } = await readDatasets(config);
  return {
    questions,
    pictures: pictures.length,
    problems: [...problems, ...(await checkPictures(config.data.root, pictures, options))],
  };
}

/** Decodes pictures. A folder that is not there is one problem, however many pictures it should hold. */
export async function checkPictures(
  root: string,
  pictures: readonly UsedPicture[],
  { signal, onProgress }: CheckOptions,
): Promise<DataProblem[]> {
  const { absent, present } = await splitByFolder(root, pictures);
  const problems: (DataProblem | undefined)[] = [...absent];
  const limit = limitConcurrency(availableParallelism());
  let step = 0;
  const check = async (picture: UsedPicture): Promise<DataProblem | undefined> => {
    signal.throwIfAborted();
    try {
      refuseOtherSize(picture, await checkPicture(picture.file));
      return undefined;
    } catch (error) {
      return problemOf(error, root);
    } finally {
      step += 1;
      onProgress({ phase: 'check pictures', step, steps: present.length });
    }
  };
  try {
    problems.push(...(await Promise.all(present.map((picture) => limit(check, picture)))));
  } finally {
    limit.clearQueue();
  }
  return problems.filter((problem) => problem !== undefined);
}

async function splitByFolder(root: string, pictures: readonly UsedPicture[]) {
  const folders = new Map<string, UsedPicture[]>();
  for (const picture of pictures) {
    const folder = dirname(picture.file);
    const own = folders.get(folder);
    if (own) own.push(picture);
    else folders.set(folder, [picture]);
  }
  const absent: DataProblem[] = [];
  const present: UsedPicture[] = [];
  for (const [folder, own] of folders) {
    const facts = await stat(folder).catch(() => undefined);
    if (facts?.isDirectory()) present.push(...own);
    else {
      const problem = `no such folder; ${own.length} pictures of it are used`;
      const remedy = 'Check the picture folders of the config';
      const error = new InputError({ file: folder, problem, remedy });
      absent.push(problemOf(error, root));
    }
  }
  return { absent, present };
}

function refuseOtherSize({ file, width, height }: UsedPicture, found: { width: number; height: number }): void {
  if (width === undefined || (found.width === width && found.height === height)) return;
  throw new InputError({
    file,
    problem: `is ${found.width} x ${found.height}, but the annotations say ${width} x ${height}`,
    remedy: 'Fetch the picture again, or annotations that belong to it',
  });
}

/** The problems as a table's rows; pictures of one folder beyond a number are told as how many. */
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
