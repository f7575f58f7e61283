/**
 * What a run is found by: `DataEngineState = "waiting"`, or `DataEngineRun = "nightly" ORDER BY DataEngineBestScore`.
 *
 * They are set only where the worker that read the config found them registered in the namespace: a server refuses the
 * whole workflow task for one that is not.
 */
import { defineSearchAttributeKey, type SearchAttributePair, type SearchAttributeUpdatePair } from '@temporalio/common';
import { patched, upsertSearchAttributes } from '@temporalio/workflow';
import type { RoundSummary, RunPlan } from './inputs.ts';
import type { DataEngineProgress } from './messages.ts';

export const searchAttributeKeys = {
  run: defineSearchAttributeKey('DataEngineRun', 'KEYWORD'),
  round: defineSearchAttributeKey('DataEngineRound', 'INT'),
  step: defineSearchAttributeKey('DataEngineStep', 'KEYWORD'),
  state: defineSearchAttributeKey('DataEngineState', 'KEYWORD'),
  bestScore: defineSearchAttributeKey('DataEngineBestScore', 'DOUBLE'),
};

/** Those that a round starts with. */
export function roundSearchAttributes(plan: RunPlan, round: number): SearchAttributePair[] | undefined {
  if (!plan.searchAttributes) return undefined;
  return [
    { key: searchAttributeKeys.run, value: plan.run },
    { key: searchAttributeKeys.round, value: round },
  ];
}

/** How a run ended. */
export type EndState = 'completed' | 'failed' | 'canceled';

/** Sets the state of a run that ends: a closed run is not `running`. Histories of before have no such command. */
export function showEndInSearch(plan: RunPlan, state: EndState): void {
  if (plan.searchAttributes && patched('end-state-in-search'))
    upsertSearchAttributes([{ key: searchAttributeKeys.state, value: state }]);
}

/**
 * Sets those that have changed.
 *
 * @param shown the values that were set last; updated here
 */
export function showInSearch(
  shown: Map<string, unknown>,
  plan: RunPlan,
  { round, step, paused, waiting }: DataEngineProgress,
  rounds: readonly RoundSummary[],
): void {
  if (!plan.searchAttributes) return;
  const best = Math.max(...rounds.map(({ multipleChoice }) => multipleChoice ?? 0));
  const state = waiting !== undefined ? 'waiting' : paused !== undefined ? 'paused' : 'running';
  const pairs: SearchAttributeUpdatePair[] = [
    { key: searchAttributeKeys.run, value: plan.run },
    { key: searchAttributeKeys.round, value: round },
    ...(step === undefined ? [] : [{ key: searchAttributeKeys.step, value: step }]),
    { key: searchAttributeKeys.state, value: state },
    ...(rounds.length === 0 ? [] : [{ key: searchAttributeKeys.bestScore, value: best }]),
  ];
  const changed = pairs.filter(({ key, value }) => shown.get(key.name) !== value);
  if (changed.length === 0) return;
  for (const { key, value } of changed) shown.set(key.name, value);
  upsertSearchAttributes(changed);
}
