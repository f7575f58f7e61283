/**
 * Every stored history must replay: a change of the workflows that breaks runs under way on workers that are not pinned to
 * a version fails here.
 */
import { bundleWorkflowCode, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, test } from 'vitest';
import { fakeActivities } from '../../../bench/support/fake-activities.ts';
import { workflowsPath } from '../../../workers/worker-flags.ts';
import * as messages from '../../../workflows/messages.ts';
import * as promptMessages from '../../../workflows/prompt-messages.ts';
import * as steeringMessages from '../../../workflows/steering-messages.ts';
import { quiet } from '../environment.ts';
import { planOn } from './scenarios.ts';
import { historyNames, readHistory, type StoredHistory } from './stored.ts';

let workflowBundle: WorkflowBundleWithSourceMap;
let histories: Map<string, StoredHistory>;

beforeAll(async () => {
  workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: quiet });
  const names = await historyNames();
  histories = new Map(await Promise.all(names.map(async (name) => [name, await readHistory(name)] as const)));
});

const events = () => [...histories.values()].flatMap((history) => history.events);

const startOf = ({ events }: StoredHistory) => events[0]?.workflowExecutionStartedEventAttributes;

function isMessage(value: unknown): value is { type: string; name: string } {
  return typeof value === 'object' && value !== null && 'type' in value && 'name' in value;
}

/** The error of each replay, in order. */
async function replayAll(stored: StoredHistory[]): Promise<(Error | undefined)[]> {
  const given = stored.map((history) => ({ workflowId: startOf(history)?.workflowId ?? '', history }));
  const problems: (Error | undefined)[] = [];
  for await (const { error } of Worker.runReplayHistories({ workflowBundle }, given)) problems.push(error);
  return problems;
}

test('the stored histories replay', async () => {
  const problems = await replayAll([...histories.values()]);
  const named = [...histories.keys()].map((name, index) => [name, problems[index]?.message]);
  expect(named.filter(([, problem]) => problem !== undefined)).toEqual([]);
  expect(problems).toHaveLength(histories.size);
});

test('a history that differs from what the workflow does fails', async () => {
  const history = histories.get('run-round-1');
  const changed: StoredHistory = JSON.parse(JSON.stringify(history).replaceAll('"merge"', '"mergeElsewhere"'));
  const [problem] = await replayAll([changed]);
  expect(problem).toBeInstanceOf(DeterminismViolationError);
  expect(problem?.message).toMatch(/mergeElsewhere/);
});

describe('the stored histories cover', () => {
  test('every workflow', async () => {
    const workflows = Object.keys(await import('../../../workflows/index.ts')).sort();
    expect([...new Set([...histories.values()].map((history) => startOf(history)?.workflowType.name))].sort()).toEqual(
      workflows,
    );
  });

  test('every activity', () => {
    const known = Object.keys(fakeActivities(planOn(''), []));
    const taken = events().map((event) => event.activityTaskScheduledEventAttributes?.activityType.name);
    expect([...new Set(taken)].filter((name) => name !== undefined).sort()).toEqual(known.sort());
  });

  test('every update and signal', () => {
    const exported: unknown[] = Object.values({ ...messages, ...promptMessages, ...steeringMessages });
    const known = exported.flatMap((value) => (isMessage(value) && value.type !== 'query' ? [value.name] : []));
    const taken = events().map(
      (event) =>
        event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest.input.name ??
        event.workflowExecutionSignaledEventAttributes?.signalName,
    );
    expect([...new Set(taken)].filter((name) => name !== undefined).sort()).toEqual(known.sort());
  });
});
