/**
 * What a person is told through the webhook, by the workflows on a real server; the activity `notify` notes it down.
 */
import { ApplicationFailure } from '@temporalio/activity';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DataEngineResult, RunPlan } from '../../workflows/messages.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { fakeActivities } from './fake-activities.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

const everything: RunPlan['notifyOn'] = ['round', 'failed', 'approval', 'done'];
type Activities = ReturnType<typeof fakeActivities>;

/** Runs a plan to its end, and returns what was told and what became of it. */
async function told(
  name: string,
  changes: Partial<RunPlan>,
  change: (activities: Activities) => Partial<Activities> = () => ({}),
  meanwhile: (notices: () => string[]) => Promise<void> = async () => undefined,
): Promise<{ notices: string[]; result: DataEngineResult | Error }> {
  const calls: string[] = [];
  const notices = () => calls.filter((call) => call.startsWith('notify ')).map((call) => call.slice('notify '.length));
  const activities = fakeActivities(planOn(name, changes), calls);
  const worker = await createWorker(environment, name, { ...activities, ...change(activities) });
  const result = await worker.runUntil(async () => {
    const handle = await environment.temporal.client.workflow.start('dataEngine', {
      taskQueue: name,
      workflowId: name,
      args: [{ config: 'tiny.yaml' }],
    });
    await meanwhile(notices);
    return handle.result().catch((error: Error) => error);
  });
  return { notices: notices(), result };
}

test('each round and the end, and nothing of it when nobody wants to know', async () => {
  const { notices } = await told('all', { rounds: 1, notifyOn: everything });
  expect(notices).toEqual([
    'Run tiny: round 0 is done, MC 50.0 %, test 45.0 %, 0 samples added',
    'Run tiny: round 1 is done, MC 50.0 %, test 45.0 %, 5 samples added',
    'Run tiny: ended: all 1 rounds after round 0 are done',
  ]);
  expect((await told('none', { rounds: 0 })).notices).toEqual([]);
  expect((await told('some', { rounds: 0, notifyOn: ['done'] })).notices).toHaveLength(1);
});

test('a round that waits for a person, with how to answer', async () => {
  const approval = { timeoutHours: 24, defaultDecision: 'reject' as const };
  const waits = 'Run tiny: round 1 waits for a decision (+1.5 points): dataengine approve asked/round-1 [--reject]';
  const { notices } = await told('asked', { rounds: 1, approval, notifyOn: everything }, undefined, async (notices) => {
    await until(() => notices().includes(waits));
    const round = environment.temporal.client.workflow.getHandle('asked/round-1');
    await round.executeUpdate('decideRound', { args: [{ decision: 'accept' }] });
  });
  expect(notices.indexOf(waits)).toBe(1);
});

test('a decision is taken while nobody can be told that it is waited for', async () => {
  const approval = { timeoutHours: 24, defaultDecision: 'reject' as const };
  let tries = 0;
  const { result } = await told('deaf', { rounds: 1, approval, notifyOn: ['approval'] }, () => ({
    notify: async () => {
      tries += 1;
      const round = environment.temporal.client.workflow.getHandle('deaf/round-1');
      await round.executeUpdate('decideRound', { args: [{ decision: 'accept' }] }).catch(() => undefined);
      throw ApplicationFailure.nonRetryable('refused');
    },
  }));
  expect(tries).toBe(1);
  expect(result).toMatchObject({ lastGood: 1 });
});

const brokenMerge = () => ({
  merge: () => Promise.reject(ApplicationFailure.nonRetryable('the disk is full', 'InputError')),
});

test('a run that has failed, and why', async () => {
  const { notices, result } = await told('broken', { rounds: 0, notifyOn: everything }, brokenMerge);
  expect(result).toBeInstanceOf(Error);
  expect(notices).toEqual(['Run tiny: has failed: the disk is full']);
});

test('a failed step that waits for an answer, and that none came', async () => {
  const failedStep = { waitHours: 0.0001 };
  const { notices } = await told('waiting', { rounds: 0, failedStep, notifyOn: everything }, brokenMerge);
  expect(notices).toEqual([
    'Run tiny: the step merge of round 0 failed and waits for retry-step, skip-step or give-up: the disk is full',
    'Run tiny: has failed: the disk is full',
  ]);
});
