/**
 * How far a judge can be trusted: its agreement with people, and whether its scores follow the place of an answer in the prompt
 * or its length.
 */
import { z } from 'zod';
import { isRightScore } from '../bad-cases.ts';
import { type BootstrapSettings, bootstrapStatistic } from '../statistics/bootstrap.ts';
import type { JudgePlan } from './judge-requests.ts';

const estimate = z.object({ value: z.number(), low: z.number(), high: z.number() });
const count = z.int().nonnegative();

/** Figures with 95 % bootstrap intervals. An answer counts as right from a score of 0.5 on. */
export const judgeFiguresSchema = z.object({
  model: z.string().describe('Who judges'),
  rubric: z.string().describe("The prompt's version"),
  judged: count,
  unjudged: count.describe('Answers without a readable reply; they have no score'),
  labelled: z
    .object({
      count,
      accuracy: estimate.describe('Share of the labelled answers that the judge calls as people do'),
      kappa: estimate.describe("Cohen's kappa of the two"),
    })
    .optional(),
  position: z
    .object({
      count,
      flips: estimate.describe('Share of answers that are right in one order of the prompt and wrong in the other'),
      change: estimate.describe('Mean change of the score when the answer stands before the right ones'),
    })
    .optional(),
  length: z
    .object({ count, correlation: estimate.describe("Spearman's, of the score and the answer's length") })
    .optional(),
  padding: z
    .object({
      count,
      plain: estimate.describe('Mean score'),
      padded: estimate.describe('The same answers in words that say nothing more'),
      flips: estimate,
    })
    .optional(),
});

export type JudgeFigures = z.output<typeof judgeFiguresSchema>;

/** The scores of a set's questions, 0 to 1, by the question's id, and how far they can be trusted. */
export interface JudgedSet {
  scores: ReadonlyMap<string, number>;
  figures: JudgeFigures;
}

/**
 * Joins the judge's scores of requests to those of questions, and computes the figures.
 *
 * @param scoreOf by the request's id; a request without a readable reply has none
 */
export function joinJudged(
  plan: JudgePlan,
  scoreOf: ReadonlyMap<string, number>,
  { model, bootstrap }: { model: string; bootstrap: BootstrapSettings },
): JudgedSet {
  const scores = new Map<string, number>();
  const lengths: { score: number; length: number }[] = [];
  for (const { question, length, request } of plan.scored) {
    const score = request === undefined ? 0 : scoreOf.get(request);
    if (score === undefined) continue;
    scores.set(question, score);
    if (request !== undefined) lengths.push({ score, length });
  }
  const estimateOf = <Item>(items: readonly Item[], name: string, statistic: (drawn: readonly Item[]) => number) =>
    bootstrapStatistic(items, statistic, { ...bootstrap, seed: `${bootstrap.seed}/judge/${name}` });
  const both = (kind: 'swapped' | 'padded') =>
    plan.checked.flatMap(({ plain, ...others }) => {
      const [before, after] = [scoreOf.get(plain), scoreOf.get(others[kind])];
      return before === undefined || after === undefined ? [] : [{ before, after }];
    });
  const flips = (pairs: readonly ScorePair[]) =>
    mean(pairs.map(({ before, after }) => Number(isRightScore(before) !== isRightScore(after))));
  const swapped = both('swapped');
  const padded = both('padded');
  const labelled = plan.labelled.flatMap(({ request, isRight }) => {
    const score = scoreOf.get(request);
    return score === undefined ? [] : [{ one: isRight, other: isRightScore(score) }];
  });
  const figures: JudgeFigures = {
    model,
    rubric: plan.rubric,
    judged: scores.size,
    unjudged: plan.scored.length - scores.size,
    ...(labelled.length > 0 && {
      labelled: {
        count: labelled.length,
        accuracy: estimateOf(labelled, 'accuracy', agreement),
        kappa: estimateOf(labelled, 'kappa', cohensKappa),
      },
    }),
    ...(swapped.length > 0 && {
      position: {
        count: swapped.length,
        flips: estimateOf(swapped, 'position flips', flips),
        change: estimateOf(swapped, 'position', (pairs) => mean(pairs.map(({ before, after }) => after - before))),
      },
    }),
    ...(lengths.length > 1 && {
      length: {
        count: lengths.length,
        correlation: estimateOf(lengths, 'length', (drawn) =>
          rankCorrelation(
            drawn.map(({ length }) => length),
            drawn.map(({ score }) => score),
          ),
        ),
      },
    }),
    ...(padded.length > 0 && {
      padding: {
        count: padded.length,
        plain: estimateOf(padded, 'plain', (pairs) => mean(pairs.map(({ before }) => before))),
        padded: estimateOf(padded, 'padded', (pairs) => mean(pairs.map(({ after }) => after))),
        flips: estimateOf(padded, 'padding flips', flips),
      },
    }),
  };
  return { scores, figures };
}

interface ScorePair {
  before: number;
  after: number;
}

interface Labels {
  one: boolean;
  other: boolean;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function agreement(labels: readonly Labels[]): number {
  return mean(labels.map(({ one, other }) => Number(one === other)));
}

/** Agreement beyond chance (Cohen 1960); where both say the same of all answers, chance alone explains it: 0. */
export function cohensKappa(labels: readonly Labels[]): number {
  const one = mean(labels.map((label) => Number(label.one)));
  const other = mean(labels.map((label) => Number(label.other)));
  const chance = one * other + (1 - one) * (1 - other);
  return chance < 1 ? (agreement(labels) - chance) / (1 - chance) : 0;
}

/** Spearman's: Pearson's of the ranks, equal values having their mean rank. 0 where one side has one value only. */
export function rankCorrelation(left: readonly number[], right: readonly number[]): number {
  const [one, other] = [ranks(left), ranks(right)];
  const middle = (left.length + 1) / 2;
  let [product, oneSquares, otherSquares] = [0, 0, 0];
  for (const [index, rank] of one.entries()) {
    const [x, y] = [rank - middle, (other[index] as number) - middle];
    product += x * y;
    oneSquares += x * x;
    otherSquares += y * y;
  }
  return oneSquares === 0 || otherSquares === 0 ? 0 : product / Math.sqrt(oneSquares * otherSquares);
}

function ranks(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((a, b) => (values[a] as number) - (values[b] as number));
  const found = values.map(() => 0);
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end + 1 < order.length && values[order[end + 1] as number] === values[order[start] as number]) end += 1;
    for (let place = start; place <= end; place += 1) found[order[place] as number] = (start + end) / 2 + 1;
    start = end + 1;
  }
  return found;
}
