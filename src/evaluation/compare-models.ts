/** Two models on the same questions. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../core/input-error.ts';
import { type QuestionScoreLine, readQuestionScores, readScores, type Scores, scoresFile } from './evaluation-files.ts';
import { type BootstrapSettings, bootstrapMean, type Estimate } from './statistics/bootstrap.ts';
import { mcNemarExact } from './statistics/paired-tests.ts';

/** One measure of two models, on the questions that both have. */
export interface Comparison {
  set: string;
  title: string;
  measure: string;
  /** Questions compared. */
  count: number;
  /** Questions that only one of the two evaluations has. */
  leftOut: number;
  /** Mean scores, 0 to 1. */
  first: number;
  second: number;
  /** Second minus first, with the 95 % interval of the paired bootstrap. */
  difference: Estimate;
  /** Questions that only the first, and only the second, answered correctly; for measures of right or wrong. */
  onlyFirst?: number;
  onlySecond?: number;
  /** McNemar's exact test, two-sided; for measures of right or wrong. */
  pValue?: number;
}

/**
 * Compares scores question by question.
 *
 * @param first id → score of the first model
 */
export function comparePaired(
  first: ReadonlyMap<string, number>,
  second: ReadonlyMap<string, number>,
  bootstrap: BootstrapSettings,
): Omit<Comparison, 'set' | 'title' | 'measure'> {
  const ids = [...first.keys()].filter((id) => second.has(id));
  const pairs = ids.map((id) => [first.get(id) as number, second.get(id) as number] as const);
  const mean = (values: number[]) =>
    values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
  const rightOrWrong = pairs.flat().every((score) => score === 0 || score === 1);
  const onlyFirst = pairs.filter(([one, other]) => one > other).length;
  const onlySecond = pairs.filter(([one, other]) => one < other).length;
  return {
    count: ids.length,
    leftOut: first.size + second.size - 2 * ids.length,
    first: mean(pairs.map(([one]) => one)),
    second: mean(pairs.map(([, other]) => other)),
    difference: bootstrapMean(
      pairs.map(([one, other]) => other - one),
      bootstrap,
    ),
    ...(rightOrWrong && { onlyFirst, onlySecond, pValue: mcNemarExact(onlyFirst, onlySecond) }),
  };
}

/**
 * Compares two evaluations: folders that hold `scores.json`, or `evaluate/` folders of rounds, whose sets are matched by
 * name.
 *
 * @throws InputError when a folder contains no evaluation, they have no set in common, or a set's benchmark differs
 */
export async function compareEvaluations(
  firstFolder: string,
  secondFolder: string,
  bootstrap: BootstrapSettings,
): Promise<Comparison[]> {
  const first = await evaluationsIn(firstFolder);
  const second = await evaluationsIn(secondFolder);
  // A single evaluation on each side is compared whatever the names are: blind or not, or of another round.
  const pairs =
    first.length === 1 && second.length === 1
      ? [[first[0], second[0]] as [Evaluation, Evaluation]]
      : first.flatMap((one): [Evaluation, Evaluation][] => {
          const other = second.find(({ scores }) => scores.set === one.scores.set);
          return other === undefined ? [] : [[one, other]];
        });
  if (pairs.length === 0) {
    throw new InputError({
      file: secondFolder,
      problem: `has none of the sets of ${firstFolder} (${first.map(({ scores }) => scores.set).join(', ')})`,
      remedy: 'Compare evaluations of the same benchmark',
    });
  }
  const comparisons: Comparison[] = [];
  for (const [one, other] of pairs) comparisons.push(...(await compareSets(one, other, bootstrap)));
  return comparisons;
}

interface Evaluation {
  folder: string;
  scores: Scores;
}

async function evaluationsIn(folder: string): Promise<Evaluation[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(
      { file: folder, problem: `can't be read (${cause.code})`, remedy: 'Name the folder of an evaluation' },
      { cause },
    );
  });
  const folders = [folder, ...entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name))];
  const found: Evaluation[] = [];
  for (const candidate of folders) {
    const names = candidate === folder ? entries.map(({ name }) => name) : await readdir(candidate);
    if (names.includes(scoresFile)) found.push({ folder: candidate, scores: await readScores(candidate) });
  }
  if (found.length > 0) return found;
  throw new InputError({
    file: folder,
    problem: `contains no ${scoresFile}, and neither does a folder in it`,
    remedy: 'Name the folder that `dataengine evaluate` wrote',
  });
}

async function compareSets(first: Evaluation, second: Evaluation, bootstrap: BootstrapSettings): Promise<Comparison[]> {
  if (first.scores.benchmark !== second.scores.benchmark) {
    throw new InputError({
      file: second.folder,
      field: 'benchmark',
      problem: `is ${second.scores.benchmark}, the other's is ${first.scores.benchmark}`,
      remedy: 'Compare evaluations of the same benchmark',
    });
  }
  const [one, other] = [await readQuestionScores(first.folder), await readQuestionScores(second.folder)];
  const { set, title } = first.scores;
  return Object.keys(first.scores.measures).flatMap((measure) => {
    const paired = comparePaired(scoresOf(one, measure), scoresOf(other, measure), {
      ...bootstrap,
      seed: `${bootstrap.seed}/${set}/${measure}`,
    });
    return paired.count === 0 ? [] : [{ set, title, measure, ...paired }];
  });
}

function scoresOf(lines: readonly QuestionScoreLine[], measure: string): Map<string, number> {
  return new Map(lines.filter((line) => line.measure === measure).map(({ id, score }) => [id, score]));
}
