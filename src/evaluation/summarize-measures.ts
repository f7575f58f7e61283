import type { Measures, QuestionScore } from './benchmarks/benchmark.ts';
import type { Scores } from './evaluation-files.ts';
import { type BootstrapSettings, bootstrapMean } from './statistics/bootstrap.ts';

/** The mean of every measure, overall and by group, with confidence intervals. Groups are in alphabetical order. */
export function summarizeMeasures(measures: Measures, { samples, seed }: BootstrapSettings): Scores['measures'] {
  return Object.fromEntries(
    Object.entries(measures).map(([measure, scores]) => {
      const estimate = (list: readonly QuestionScore[], name: string) => ({
        ...bootstrapMean(
          list.map(({ score }) => score),
          { samples, seed: `${seed}/${measure}/${name}` },
        ),
        count: list.length,
      });
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
