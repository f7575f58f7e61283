import { valueIn } from '../core/records.ts';
import type { Weights } from './bad-cases.ts';
import type { TypeResults } from './expected-gain.ts';

/** A round that was set aside: what it drew, and its validation results. */
export interface FailedAttempt {
  /** Question type → how many requests it drew. */
  requestsByType: Readonly<Record<string, number>>;
  /** Validation results of the round that it was built on, and its own. */
  before: TypeResults;
  after: TypeResults;
}

/**
 * Changes the weights that question types are drawn by after rounds that were set aside, so that the next attempt does
 * not repeat their draws: each such round halves the weight of the type that it drew most, and lowers that of others
 * by half of their share of its draws against that type's. A type whose questions it answered better keeps its weight.
 *
 * No weight becomes 0 by it, so no weakness is dropped; with each failure the draw moves to types that were tried less.
 */
export function dampWeights(weights: Weights, attempts: readonly FailedAttempt[]): Weights {
  const damped = Object.entries(weights).map(([type, weight]) => {
    const factor = attempts.reduce((product, attempt) => product * dampingOf(type, attempt), 1);
    return [type, Math.round(weight * factor * 10_000) / 10_000] as const;
  });
  return Object.fromEntries(damped);
}

function dampingOf(type: string, { requestsByType, before, after }: FailedAttempt): number {
  const most = Math.max(0, ...Object.values(requestsByType));
  const drawn = valueIn(requestsByType, type) ?? 0;
  const gotBetter = (valueIn(after, type)?.wrong ?? 0) < (valueIn(before, type)?.wrong ?? 0);
  return most === 0 || gotBetter ? 1 : 1 - drawn / most / 2;
}
