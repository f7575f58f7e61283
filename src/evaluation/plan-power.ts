/**
 * How many questions and seeds a comparison takes: from what is assumed, or from two evaluations that are there.
 */
import { comparePaired, pairEvaluations, scoresOfMeasure } from './compare-models.ts';
import { readQuestionScores } from './evaluation-files.ts';
import { type ImageOfQuestion, repeats, sumsByImage } from './statistics/bootstrap.ts';
import {
  approximatePower,
  approximateQuestions,
  differenceFound,
  powerOfQuestions,
  questionsNeeded,
  type TestSettings,
} from './statistics/power.ts';

/** What two models are expected to do, or did, on the questions of one benchmark. Values are shares. */
export interface Expected {
  /** Benchmark, of two evaluations. */
  set?: string | undefined;
  measure?: string | undefined;
  /** Questions that only one model answers correctly; of scores between 0 and 1, the mean square of the differences. */
  disagreement: number;
  /** Whether every score is right or wrong: planned by McNemar's exact test, others by the normal approximation. */
  rightOrWrong: boolean;
  /** By how much more questions it takes because several are about one image; 1: each has an image of its own. */
  designEffect: number;
  /** Questions at hand. */
  questions?: number | undefined;
  /** Observed: second minus first. */
  observed?: number | undefined;
}

export interface QuestionPlan extends Expected {
  difference: number;
  /** The level of each test: after Holm's correction, its strictest one. */
  level: number;
  /** Questions that find the difference with the wanted power. */
  needed: number;
  /** With the questions at hand: the power for the difference, and the smallest difference found with the wanted power. */
  powerAtHand?: number | undefined;
  foundAtHand?: number | undefined;
}

/**
 * Plans the questions of each benchmark.
 *
 * @param benchmarks how many are tested at once: the strictest test of Holm's correction has the level divided by it
 */
export function planQuestions(
  expected: readonly Expected[],
  difference: number,
  { level, power }: TestSettings,
  benchmarks = expected.length,
): QuestionPlan[] {
  const strictest = level / benchmarks;
  return expected.map((one) => {
    const { disagreement, rightOrWrong, designEffect, questions } = one;
    const settings = { level: strictest, power };
    // A mean square is at least the square of the mean.
    const least = rightOrWrong ? Math.abs(difference) : difference ** 2;
    const pairs = { difference, disagreement: Math.max(disagreement, least) };
    const independent = rightOrWrong
      ? questionsNeeded(pairs, settings)
      : Math.ceil(approximateQuestions(pairs, settings));
    const worth = questions === undefined ? undefined : Math.floor(questions / designEffect);
    const powerOf = rightOrWrong ? powerOfQuestions : approximatePower;
    const largest = rightOrWrong ? disagreement : Math.sqrt(disagreement);
    return {
      ...one,
      difference,
      level: strictest,
      // An effect of 4.000000001 is 4.
      needed: Math.ceil(independent * designEffect - 1e-6),
      ...(worth !== undefined && {
        powerAtHand: powerOf(worth, pairs, strictest),
        foundAtHand: differenceFound(worth, disagreement, settings, { powerOf, largest }),
      }),
    };
  });
}

/**
 * What two evaluations say of the main measure of every benchmark that both have.
 *
 * @throws InputError as `compareEvaluations` does
 */
export async function expectFromEvaluations(firstFolder: string, secondFolder: string): Promise<Expected[]> {
  const pairs = await pairEvaluations(firstFolder, secondFolder);
  return Promise.all(
    pairs.map(async ([first, second]): Promise<Expected> => {
      const [measure = ''] = Object.keys(first.scores.measures);
      const [lines, others] = [await readQuestionScores(first.folder), await readQuestionScores(second.folder)];
      const [one, other] = [scoresOfMeasure(lines, measure), scoresOfMeasure(others, measure)];
      const ids = [...one.keys()].filter((id) => other.has(id));
      const differences = ids.map((id) => (other.get(id) as number) - (one.get(id) as number));
      const imageOf = new Map(lines.flatMap((line) => (line.measure === measure ? [[line.id, line.image]] : [])));
      const { difference, onlyFirst } = comparePaired(one, other, { samples: 1, seed: 0 });
      return {
        set: first.scores.set,
        measure,
        disagreement: differences.reduce((sum, value) => sum + value ** 2, 0) / Math.max(1, ids.length),
        rightOrWrong: onlyFirst !== undefined,
        designEffect: observedDesignEffect(
          differences,
          ids.map((id) => imageOf.get(id)),
        ),
        questions: ids.length,
        observed: difference.value,
      };
    }),
  );
}

/** The variance of the mean difference by image (cluster-robust) over that by question; at least 1. */
export function observedDesignEffect(differences: readonly number[], images: readonly ImageOfQuestion[]): number {
  if (!repeats(images)) return 1;
  const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
  const deviations = differences.map((value) => value - mean);
  const byQuestion = deviations.reduce((sum, value) => sum + value ** 2, 0);
  const byImage = sumsByImage(deviations, images).reduce((total, { sum }) => total + sum ** 2, 0);
  return byQuestion === 0 ? 1 : Math.max(1, byImage / byQuestion);
}
