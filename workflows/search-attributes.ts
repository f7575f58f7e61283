/**
 * What a run is found by: `DataEngineState = "waiting"`, or `DataEngineRun = "nightly" ORDER BY DataEngineBestScore`.
 *
 * They are set only where the worker that read the config found them known to the namespace: a server that does not know
 * one would refuse the whole workflow task.
 */
import { defineSearchAttributeKey, type SearchAttributePair, type SearchAttributeUpdatePair } from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';
import type { DataEngineProgress, RoundSummary, RunPlan } from './messages.ts';

const keys = {
  run: defineSearchAttributeKey('DataEngineRun', 'KEYWORD'),
  round: defineSearchAttributeKey('DataEngineRound', 'INT'),
  step: defineSearchAttributeKey('DataEngineStep', 'KEYWORD'),
  state: defineSearchAttributeKey('DataEngineState', 'KEYWORD'),
  bestScore: defineSearchAttributeKey('DataEngineBestScore', 'DOUBLE'),
};

/** What a round starts with. */
export function roundSearchAttributes(plan: RunPlan, round: number): SearchAttributePair[] | undefined {
  if (!plan.searchAttributes) return undefined;
  return [
    { key: keys.run, value: plan.run },
    { key: keys.round, value: round },
  ];
}

/**
 * Shows where a run is, when that is something else than before.
 *
 * @param shown what was shown last; kept up to date here
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
    { key: keys.run, value: plan.run },
    { key: keys.round, value: round },
    ...(step === undefined ? [] : [{ key: keys.step, value: step }]),
    { key: keys.state, value: state },
    ...(rounds.length === 0 ? [] : [{ key: keys.bestScore, value: best }]),
  ];
  const changed = pairs.filter(({ key, value }) => shown.get(key.name) !== value);
  if (changed.length === 0) return;
  for (const { key, value } of changed) shown.set(key.name, value);
  upsertSearchAttributes(changed);
}
