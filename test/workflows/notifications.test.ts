/**
 * The notifications that workflows on a real server send; the activity `notify` records them.
 */
import { ApplicationFailure } from '@temporalio/activity';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import type { RunPlan } from '../../workflows/inputs.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

const everything: RunPlan['notifyOn'] = ['round', 'failed', 'approval', 'done'];
type Activities = ReturnType<typeof fakeActivities>;

/** Runs a plan to its end, and returns the notifications and the result. */
async function run(
  name: string,
  changes: Partial<RunPlan>,
  change: (activities: Activities) => Partial<Activities> = () => ({}),
  meanwhile: (notifications: () => string[]) => Promise<void> = async () => undefined,
): Promise<{ notifications: string[]; result: DataEngineResult | Error }> {
  const calls: string[] = [];
  const notifications = () =>
    calls.filter((call) => call.startsWith('notify ')).map((call) => call.slice('notify '.length));
  const activities = fakeActivities(planOn(name, changes), calls);
  const worker = await createWorker(environment, name, { ...activities, ...change(activities) });
  const result = await worker.runUntil(async () => {
    const handle = await environment.temporal.client.workflow.start('dataEngine', {
      taskQueue: name,
      workflowId: name,
      args: [{ config: 'tiny.yaml' }],
    });
    await meanwhile(notifications);
    return handle.result().catch((error: Error) => error);
  });
  return { notifications: notifications(), result };
}

test('notifications report each round and the end, as far as the config asks for them', async () => {
  const { notifications } = await run('all', { rounds: 1, notifyOn: everything });
  expect(notifications).toEqual([
    'Run tiny: round 0 is done, MC 50.0 %, test 45.0 %, 0 samples added',
    'Run tiny: round 1 is done, MC 50.0 %, test 45.0 %, 5 samples added',
    'Run tiny: ended: 1 of 1 rounds after round 0 are done',
  ]);
  expect((await run('none', { rounds: 0 })).notifications).toEqual([]);
  expect((await run('some', { rounds: 0, notifyOn: ['done'] })).notifications).toHaveLength(1);
});

test('notifications report a round that waits for a person, and how to answer', async () => {
  const approval = { timeoutHours: 24, defaultDecision: 'reject' as const };
  const waits = 'Run tiny: round 1 waits for a decision (+1.5 points): dataengine approve asked/round-1 [--reject]';
  const { notifications } = await run(
    'asked',
    { rounds: 1, approval, notifyOn: everything },
    undefined,
    async (notifications) => {
      await until(() => notifications().includes(waits));
      const round = environment.temporal.client.workflow.getHandle('asked/round-1');
      await round.executeUpdate('decideRound', { args: [{ decision: 'accept' }] });
    },
  );
  expect(notifications.indexOf(waits)).toBe(1);
});

test('a notification that cannot be sent does not hold up a decision', async () => {
  const approval = { timeoutHours: 24, defaultDecision: 'reject' as const };
  let attempts = 0;
  const { result } = await run('deaf', { rounds: 1, approval, notifyOn: ['approval'] }, () => ({
    notify: async () => {
      attempts += 1;
      const round = environment.temporal.client.workflow.getHandle('deaf/round-1');
      await round.executeUpdate('decideRound', { args: [{ decision: 'accept' }] }).catch(() => undefined);
      throw ApplicationFailure.nonRetryable('refused');
    },
  }));
  expect(attempts).toBe(1);
  expect(result).toMatchObject({ lastGood: 1 });
});

const brokenMerge = () => ({
  merge: () => Promise.reject(ApplicationFailure.nonRetryable('the disk is full', 'InputError')),
});

test('notifications report that a run failed, and why', async () => {
  const { notifications, result } = await run('broken', { rounds: 0, notifyOn: everything }, brokenMerge);
  expect(result).toBeInstanceOf(Error);
  expect(notifications).toEqual(['Run tiny: has failed: the disk is full']);
});

test('notifications report a failed step that waits for an answer, and that none came', async () => {
  const failedStep = { waitHours: 0.0001 };
  const { notifications } = await run('waiting', { rounds: 0, failedStep, notifyOn: everything }, brokenMerge);
  expect(notifications).toEqual([
    'Run tiny: the step merge of round 0 failed and waits for retry-step, skip-step or give-up: the disk is full',
    'Run tiny: has failed: the disk is full',
  ]);
});
