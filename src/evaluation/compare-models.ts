/** Two models on the same questions. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../core/input-error.ts';
import { type QuestionScoreLine, readQuestionScores, readScores, type Scores, scoresFile } from './evaluation-files.ts';
import {
  type BootstrapSettings,
  bootstrapMean,
  type Estimate,
  type ImageOfQuestion,
  repeats,
  sumsByImage,
} from './statistics/bootstrap.ts';
import { holmAdjusted, mcNemarExact, signFlipTest } from './statistics/paired-tests.ts';

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
  /** Second minus first, with the 95 % interval of the paired bootstrap; by image where images repeat. */
  difference: Estimate;
  /** Where several questions are about one: how many images there are. */
  images?: number;
  /** Questions that only the first, and only the second, answered correctly; for measures of right or wrong. */
  onlyFirst?: number;
  onlySecond?: number;
  /** McNemar's exact test of answers that are right or wrong; else, or where images repeat, the sign-flip test by image. */
  test: 'mcnemar' | 'sign-flip';
  /** Two-sided. */
  pValue: number;
  /** Whether choices were ranked by losses on one side, and written on the other: the scores differ by that too. */
  rankedOtherwise?: true;
  /** Whether the answers of one side were scored by another program, or by another measure of it. */
  scoredOtherwise?: true;
  /** Corrected by Holm for the benchmarks that were compared at once; of the main measure of each. */
  adjustedPValue?: number;
}

/**
 * Compares scores question by question.
 *
 * @param first id → score of the first model
 * @param imageOf the number of a question's image, where several questions are about one
 */
export function comparePaired(
  first: ReadonlyMap<string, number>,
  second: ReadonlyMap<string, number>,
  bootstrap: BootstrapSettings,
  imageOf: (id: string) => ImageOfQuestion = () => undefined,
): Omit<Comparison, 'set' | 'title' | 'measure' | 'adjustedPValue' | 'rankedOtherwise' | 'scoredOtherwise'> {
  const ids = [...first.keys()].filter((id) => second.has(id));
  const pairs = ids.map((id) => [first.get(id) as number, second.get(id) as number] as const);
  const mean = (values: number[]) =>
    values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
  const rightOrWrong = pairs.flat().every((score) => score === 0 || score === 1);
  const onlyFirst = pairs.filter(([one, other]) => one > other).length;
  const onlySecond = pairs.filter(([one, other]) => one < other).length;
  const differences = pairs.map(([one, other]) => other - one);
  const images = ids.map(imageOf);
  const byImage = sumsByImage(differences, images);
  const isMcNemar = rightOrWrong && !repeats(images);
  return {
    count: ids.length,
    leftOut: first.size + second.size - 2 * ids.length,
    first: mean(pairs.map(([one]) => one)),
    second: mean(pairs.map(([, other]) => other)),
    difference: bootstrapMean(differences, bootstrap, images),
    ...(repeats(images) && { images: byImage.length }),
    ...(rightOrWrong && { onlyFirst, onlySecond }),
    test: isMcNemar ? 'mcnemar' : 'sign-flip',
    pValue: isMcNemar
      ? mcNemarExact(onlyFirst, onlySecond)
      : signFlipTest(
          byImage.map(({ sum }) => sum),
          bootstrap,
        ),
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
  const comparisons: Comparison[] = [];
  for (const [one, other] of await pairEvaluations(firstFolder, secondFolder)) {
    comparisons.push(...(await compareSets(one, other, bootstrap)));
  }
  return withAdjustedPValues(comparisons);
}

/** The sets that both folders have. @throws InputError as `compareEvaluations` does */
export async function pairEvaluations(firstFolder: string, secondFolder: string): Promise<[Evaluation, Evaluation][]> {
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
  for (const [one, other] of pairs) requireSameBenchmark(one, other);
  return pairs;
}

/**
 * Holm's correction over the benchmarks. One measure of each is tested, its main one: its others (by letter and by rule,
 * rotated and not) are of the same answers.
 */
function withAdjustedPValues(comparisons: readonly Comparison[]): Comparison[] {
  const isMain = ({ set }: Comparison, index: number) => comparisons.findIndex((one) => one.set === set) === index;
  const main = comparisons.filter(isMain);
  const adjusted = holmAdjusted(main.map(({ pValue }) => pValue));
  return comparisons.map((comparison) => {
    const place = main.indexOf(comparison);
    return place < 0 ? comparison : { ...comparison, adjustedPValue: adjusted[place] as number };
  });
}

/** The files of one set. */
export interface Evaluation {
  folder: string;
  scores: Scores;
}

async function evaluationsIn(folder: string): Promise<Evaluation[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(
      {
        file: folder,
        problem: cause.code === 'ENOENT' ? 'no such folder' : `can't be read (${cause.code})`,
        remedy: 'Name the folder of an evaluation, such as runs/demo/round-0/evaluate',
      },
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

function requireSameBenchmark(first: Evaluation, second: Evaluation): void {
  if (first.scores.benchmark === second.scores.benchmark) return;
  throw new InputError({
    file: second.folder,
    field: 'benchmark',
    problem: `is ${second.scores.benchmark}, the other's is ${first.scores.benchmark}`,
    remedy: 'Compare evaluations of the same benchmark',
  });
}

async function compareSets(first: Evaluation, second: Evaluation, bootstrap: BootstrapSettings): Promise<Comparison[]> {
  const [one, other] = [await readQuestionScores(first.folder), await readQuestionScores(second.folder)];
  const { set, title } = first.scores;
  // The trainers' choices are those of the lowest loss too.
  const isWritten = ({ scores }: Evaluation) => scores.ranking === 'written';
  const scorerOf = ({ scores: { imported } }: Evaluation) => imported && `${imported.program} ${imported.measure}`;
  const otherwise = {
    ...(isWritten(first) !== isWritten(second) && { rankedOtherwise: true as const }),
    ...(scorerOf(first) !== scorerOf(second) && { scoredOtherwise: true as const }),
  };
  return Object.keys(first.scores.measures).flatMap((measure) => {
    // An evaluation of an earlier version has no numbers of images.
    const isNumbered = (line: QuestionScoreLine) => line.measure === measure && line.image !== undefined;
    const numbered = [one, other].find((lines) => lines.some(isNumbered)) ?? one;
    const images = new Map(numbered.flatMap((line) => (line.measure === measure ? [[line.id, line.image]] : [])));
    const paired = comparePaired(
      scoresOfMeasure(one, measure),
      scoresOfMeasure(other, measure),
      { ...bootstrap, seed: `${bootstrap.seed}/${set}/${measure}` },
      (id) => images.get(id),
    );
    return paired.count === 0 ? [] : [{ set, title, measure, ...paired, ...otherwise }];
  });
}

/** Id → score of one measure. */
export function scoresOfMeasure(lines: readonly QuestionScoreLine[], measure: string): Map<string, number> {
  return new Map(lines.filter((line) => line.measure === measure).map(({ id, score }) => [id, score]));
}
