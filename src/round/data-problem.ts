import { isAbsolute, relative, sep } from 'node:path';
import { InputError } from '../core/input-error.ts';
import { cocoDownloads } from '../datasets/coco.ts';
import { trainDatasets } from '../datasets/train-datasets.ts';
import { benchmarks } from '../evaluation/benchmarks/index.ts';

/** Something in the data that is missing, cut short or inconsistent. */
export interface DataProblem {
  /** The file, with line and field where there are any; relative to the data root when it lies there. */
  item: string;
  problem: string;
  /** What to download and where to put it, or what to correct. */
  remedy: string;
  error: InputError;
}

/** The problem of an InputError. @throws any other error */
export function problemOf(error: unknown, root: string): DataProblem {
  if (!(error instanceof InputError)) throw error;
  const { file, line, column, field, problem, remedy } = error;
  const path = pathUnder(root, file);
  const place = [path, line, line === undefined ? undefined : column].filter((part) => part !== undefined).join(':');
  const absent = /^no such/.test(problem) || /cut short|too early|unexpected end/.test(problem);
  return {
    item: field ? `${place}: ${field}` : place,
    problem,
    remedy: (absent && downloadFor(path)) || remedy,
    error,
  };
}

/** Path under the data root → how to download what belongs there. */
const downloads = Object.assign(
  {},
  cocoDownloads,
  ...[...Object.values(trainDatasets), ...Object.values(benchmarks)].map((source) => source.downloads),
) as Record<string, string>;

/** How to download a file of the official layout: the entry of the nearest folder around it. */
function downloadFor(path: string): string | undefined {
  const place = Object.keys(downloads)
    .filter((key) => path === key || path.startsWith(`${key}/`))
    .sort((left, right) => right.length - left.length)[0];
  return place === undefined ? undefined : downloads[place];
}

/** The path relative to the data root, with slashes; the whole path of a file elsewhere. */
export function pathUnder(root: string, file: string): string {
  const path = relative(root, file);
  return path.startsWith('..') || isAbsolute(path) ? file : path.split(sep).join('/');
}

/** The problems of several checks, each once. */
export function joinProblems(...lists: readonly DataProblem[][]): DataProblem[] {
  return [...new Map(lists.flat().map((problem) => [problem.error.message, problem])).values()];
}

const LISTED = 20;

/**
 * Throws when there are problems: a single one as it is, several in one message.
 *
 * @throws InputError
 */
export function refuseProblems(problems: readonly DataProblem[], root: string): void {
  const [first] = problems;
  if (first === undefined) return;
  if (problems.length === 1) throw first.error;
  const lines = problems.slice(0, LISTED).map(({ item, problem, remedy }) => `\n  ${item}: ${problem}. ${remedy}`);
  const more = problems.length > LISTED ? `\n  and ${problems.length - LISTED} more` : '';
  throw new InputError({
    file: root,
    problem: `${problems.length} things are missing or wrong:${lines.join('')}${more}`,
    remedy: '\n`dataengine data check CONFIG` lists all of them',
  });
}
