/**
 * What a run is found by: `DataEngineState = "waiting"`, or `DataEngineRun = "nightly" ORDER BY DataEngineBestScore`.
 *
 * They are set only where the worker that read the config found them registered in the namespace: a server refuses the
 * whole workflow task for one that is not.
 */
import { defineSearchAttributeKey, type SearchAttributePair, type SearchAttributeUpdatePair } from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';
import type { RunPlan } from './inputs.ts';
import type { Standing } from './messages.ts';

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

/** What a run or a round is found by. */
interface Found {
  run: string;
  round: number;
  /** Of a round. */
  step?: string;
  state: Standing;
  /** Of a run. */
  bestScore?: number;
}

/** Sets the attributes of a run or of a round, as far as they have changed: each time is an event of its history. */
export class ShownInSearch {
  private shown: Partial<Found> = {};

  /** @param plan says whether the namespace knows them */
  show({ searchAttributes }: RunPlan, found: Found): void {
    if (!searchAttributes) return;
    const names = (Object.keys(searchAttributeKeys) as (keyof Found)[]).filter(
      (name) => found[name] !== undefined && found[name] !== this.shown[name],
    );
    if (names.length === 0) return;
    this.shown = { ...this.shown, ...found };
    upsertSearchAttributes(
      names.map((name) => ({ key: searchAttributeKeys[name], value: found[name] }) as SearchAttributeUpdatePair),
    );
  }
}
