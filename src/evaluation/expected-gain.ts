import { emptyRecord, valueIn } from '../core/records.ts';
import { type ChosenAnswer, type EvaluatedQuestion, isRight } from './bad-cases.ts';

/** Question type → how many questions of it were asked, and how many answered wrongly. */
export type TypeResults = Record<string, { asked: number; wrong: number }>;

/** The expected gain of a question type, as in `expected_gain.json`. */
export interface TypeGain {
  /** Share of the validation questions. */
  share: number;
  /** Error rate, shrunk toward that of all types according to its sampling variance. */
  error: number;
  /** How fast new samples of the type lower its error, against the mean of all types (1), shrunk in the same way. */
  learning: number;
  /** share x error x learning, the largest of all types being 1. */
  weight: number;
}

// A type that did not improve so far may have had bad luck or bad samples: it is never dropped.
const leastLearning = 0.1;

/** Counts an evaluation by question type. */
export function countByType(
  records: readonly (Pick<EvaluatedQuestion, 'question_type'> & ChosenAnswer)[],
): TypeResults {
  const results: TypeResults = emptyRecord();
  for (const record of records) {
    const type = record.question_type;
    const result = results[type] ?? { asked: 0, wrong: 0 };
    results[type] = result;
    result.asked += 1;
    if (!isRight(record)) result.wrong += 1;
  }
  return results;
}

/**
 * Weights question types by the accuracy that one more sample of each is expected to gain.
 *
 * The error of a type falls by a share of itself with each sample, so the gain of a sample is the type's share of the
 * questions, times its error, times its rate of learning. Error rates are beta-binomial posterior means, with a prior
 * fitted to all types by moments (Kleinman 1973): three wrong answers of four don't make a rare type the weakest.
 * Rates of learning come from the rounds so far, combined over rounds by their sampling variance and shrunk by
 * the variance between types (DerSimonian and Laird 1986). Without earlier rounds, all types have the same rate.
 *
 * @param input.results the validation results of all rounds so far, oldest first, at least one
 * @param input.samplesAdded question type → samples that were added between one result and the next
 * @returns by question type, in alphabetical order
 */
export function expectedGain(input: {
  results: readonly TypeResults[];
  samplesAdded: readonly Readonly<Record<string, number>>[];
}): Record<string, TypeGain> {
  const latest = input.results.at(-1);
  if (!latest) throw new RangeError('Expected gain needs the results of at least one round');
  const types = Object.keys(latest).sort();
  const asked = sum(types.map((type) => valueIn(latest, type)?.asked ?? 0));
  const errors = shrunkErrors(latest);
  const learning = learningByType(input, types);
  const gains = types.map((type) => {
    const share = asked === 0 ? 0 : (valueIn(latest, type)?.asked ?? 0) / asked;
    const error = valueIn(errors, type) ?? 0;
    const relative = learning.get(type) ?? 1;
    return { type, share, error, learning: relative, product: share * error * relative };
  });
  const largest = Math.max(0, ...gains.map(({ product }) => product));
  return Object.fromEntries(
    gains.map(({ type, share, error, learning: relative, product }) => [
      type,
      {
        share: rounded(share),
        error: rounded(error),
        learning: rounded(relative),
        weight: largest === 0 ? 0 : rounded(product / largest),
      },
    ]),
  );
}

/** Question type → posterior mean of its error rate. */
function shrunkErrors(results: TypeResults): Record<string, number> {
  const all = Object.entries(results).filter(([, { asked }]) => asked > 0);
  const asked = sum(all.map(([, result]) => result.asked));
  const pooled = sum(all.map(([, result]) => result.wrong)) / (asked || 1);
  const noise = pooled * (1 - pooled);
  const spread = sum(all.map(([, result]) => result.asked * (result.wrong / result.asked - pooled) ** 2));
  const size = asked - sum(all.map(([, result]) => result.asked ** 2)) / (asked || 1);
  const between = size > 0 ? Math.max(0, (spread - (all.length - 1) * noise) / size) : 0;
  // The number of questions that the prior counts for. Without more spread than by chance, all types have the pooled rate.
  const strength = between > 0 ? Math.max(1, noise / between - 1) : Number.POSITIVE_INFINITY;
  return Object.fromEntries(
    all.map(([type, result]) => [
      type,
      Number.isFinite(strength) ? (result.wrong + strength * pooled) / (result.asked + strength) : pooled,
    ]),
  );
}

interface Estimate {
  rate: number;
  variance: number;
}

function learningByType(
  {
    results,
    samplesAdded,
  }: { results: readonly TypeResults[]; samplesAdded: readonly Readonly<Record<string, number>>[] },
  types: readonly string[],
): Map<string, number> {
  const errors = results.map(shrunkErrors);
  const ofType = new Map<string, Estimate>();
  for (const type of types) {
    const estimates: Estimate[] = [];
    for (const [index, added] of samplesAdded.entries()) {
      const samples = valueIn(added, type) ?? 0;
      const before = errors[index]?.[type] ?? 0;
      const after = errors[index + 1]?.[type];
      const asked = results[index]?.[type]?.asked ?? 0;
      if (samples === 0 || before === 0 || after === undefined || asked === 0) continue;
      const scale = samples * before;
      estimates.push({ rate: (before - after) / scale, variance: (2 * before * (1 - before)) / asked / scale ** 2 });
    }
    if (estimates.length > 0) ofType.set(type, combine(estimates));
  }
  const all = [...ofType.values()];
  const { rate: mean } = combine(all);
  // No learning so far, or none that differs from chance: all types have the same rate.
  if (all.length < 2 || !(mean > 0)) return new Map();
  const between = varianceBetween(all, mean);
  return new Map(
    types.map((type) => {
      const own = ofType.get(type);
      const rate = own ? (own.rate * between + mean * own.variance) / (between + own.variance) : mean;
      return [type, Math.max(leastLearning, rate / mean)];
    }),
  );
}

/** The mean of estimates by the inverse of their variances. */
function combine(estimates: readonly Estimate[]): Estimate {
  const precision = sum(estimates.map(({ variance }) => 1 / safe(variance)));
  const rate = sum(estimates.map((estimate) => estimate.rate / safe(estimate.variance))) / precision;
  return { rate, variance: 1 / precision };
}

function varianceBetween(estimates: readonly Estimate[], mean: number): number {
  const precisions = estimates.map(({ variance }) => 1 / safe(variance));
  const total = sum(precisions);
  const spread = sum(estimates.map(({ rate }, index) => (precisions[index] as number) * (rate - mean) ** 2));
  const scale = total - sum(precisions.map((precision) => precision ** 2)) / total;
  return scale > 0 ? Math.max(0, (spread - (estimates.length - 1)) / scale) : 0;
}

// A type that was always wrong has no sampling variance by the formula.
function safe(variance: number): number {
  return Math.max(variance, 1e-12);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
