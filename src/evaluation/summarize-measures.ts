import type { Measures, QuestionScore } from './benchmarks/benchmark.ts';
import type { Scores } from './evaluation-files.ts';
import { type BootstrapSettings, bootstrapMean, repeats, sumsByImage } from './statistics/bootstrap.ts';

/** The mean of every measure, overall and by group, with confidence intervals. Groups are in alphabetical order. */
export function summarizeMeasures(measures: Measures, { samples, seed }: BootstrapSettings): Scores['measures'] {
  return Object.fromEntries(
    Object.entries(measures).map(([measure, scores]) => {
      const estimate = (list: readonly QuestionScore[], name: string) => {
        const images = list.map(({ image }) => image);
        const values = list.map(({ score }) => score);
        return {
          ...bootstrapMean(values, { samples, seed: `${seed}/${measure}/${name}` }, images),
          count: list.length,
          ...(repeats(images) && { images: sumsByImage(values, images).length }),
        };
      };
      const groups = Object.fromEntries(
        waysOfSorting(scores).map((way) => [
          way,
          Object.fromEntries(classesOf(scores, way).map(([name, list]) => [name, estimate(list, `${way}/${name}`)])),
        ]),
      );
      return [measure, { ...estimate(scores, ''), groups }];
    }),
  );
}

/** The measures with the number of each score's image, where several questions of the measure are about one. */
export function withImages(measures: Measures, imageOf: (id: string) => string | undefined): Measures {
  const numbers = new Map<string, number>();
  const numberOf = (id: string) => {
    const image = imageOf(id);
    if (image === undefined) return undefined;
    const number = numbers.get(image) ?? numbers.size;
    numbers.set(image, number);
    return number;
  };
  return Object.fromEntries(
    Object.entries(measures).map(([measure, scores]) => {
      const images = scores.map(({ id, question = id }) => numberOf(question));
      return [measure, repeats(images) ? scores.map((score, index) => ({ ...score, image: images[index] })) : scores];
    }),
  );
}

function waysOfSorting(scores: readonly QuestionScore[]): string[] {
  return [...new Set(scores.flatMap(({ groups }) => Object.keys(groups ?? {})))];
}

function classesOf(scores: readonly QuestionScore[], way: string): [string, QuestionScore[]][] {
  const classes = new Map<string, QuestionScore[]>();
  for (const score of scores) {
    const name = score.groups?.[way];
    if (name === undefined) continue;
    const list = classes.get(name) ?? [];
    list.push(score);
    classes.set(name, list);
  }
  return [...classes].sort(([one], [other]) => (one < other ? -1 : 1));
}
