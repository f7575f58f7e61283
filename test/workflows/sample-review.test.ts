/** With refine.review: manual a round waits until a person has decided about its samples. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import type { DataEngineResult, RoundProgress } from '../../workflows/messages.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

/** A run whose append step finds so many samples without a decision, one after the other. */
async function startRun(
  name: string,
  undecided: number[],
  meanwhile: (update: () => Promise<unknown>) => Promise<void>,
  samplesAdded = 5,
) {
  const calls: string[] = [];
  const plan = planOn(name, { rounds: 1, reviews: true, notifyOn: ['approval'] });
  const activities = fakeActivities(plan, calls);
  const append: typeof activities.append = async (reference) => {
    const left = undecided.shift() ?? 0;
    const outcome = await activities.append(reference);
    return left > 0 ? { ...outcome, samplesAdded: 0, version: '', undecided: left } : { ...outcome, samplesAdded };
  };
  const worker = await createWorker(environment, name, { ...activities, append });
  const { client } = environment.temporal;
  const result = await worker.runUntil(async () => {
    const handle = await client.workflow.start('dataEngine', {
      taskQueue: name,
      workflowId: name,
      args: [{ config: 'tiny.yaml' }],
    });
    await meanwhile(() => client.workflow.getHandle(`${name}/round-1`).executeUpdate('samplesReviewed'));
    return handle.result() as Promise<DataEngineResult>;
  });
  return { calls, result };
}

const round = (name: string) => environment.temporal.client.workflow.getHandle(`${name}/round-1`);

async function untilWaiting(name: string): Promise<string> {
  const last = async () =>
    (
      await round(name)
        .query<RoundProgress>('progress')
        .catch(() => undefined)
    )?.steps.at(-1);
  await until(async () => (await last())?.state === 'waiting');
  expect((await last())?.name).toBe('append');
  const { currentDetails } = await round(name).query<{ currentDetails: string }>('__temporal_workflow_metadata');
  return currentDetails;
}

test('the round waits before append, says how to review, and checks again after the update', async () => {
  const { calls, result } = await startRun('reviewed', [3, 1], async (update) => {
    const details = await untilWaiting('reviewed');
    expect(details).toContain('This round waits for the review of 3 samples.');
    expect(details).toContain('--round 1 --continue reviewed/round-1');
    expect(await update()).toEqual({ round: 1 });
    await until(async () => (await untilWaiting('reviewed')).includes('review of 1 samples'));
    await update();
  });
  expect(result.rounds.at(-1)).toMatchObject({ round: 1, samplesAdded: 5 });
  expect(calls.filter((call) => call === 'append 1')).toHaveLength(3);
  expect(calls.indexOf('finetune 1')).toBeGreaterThan(calls.lastIndexOf('append 1'));
  expect(calls.filter((call) => call.startsWith('notify'))).toHaveLength(2);
});

test('a round whose samples are all rejected ends early, as one with nothing new', async () => {
  const { calls, result } = await startRun(
    'rejected',
    [2],
    async (update) => {
      await untilWaiting('rejected');
      await update();
    },
    0,
  );
  expect(calls).not.toContain('finetune 1');
  expect(result).toMatchObject({ lastGood: 0, stop: { reason: expect.stringContaining('all samples were rejected') } });
});

test('a round that does not wait refuses the update', async () => {
  const { result } = await startRun('ready', [], async (update) => {
    await until(
      async () =>
        (await round('ready')
          .describe()
          .catch(() => undefined)) !== undefined,
    );
    await expect(update()).rejects.toThrow(/Update failed|already completed|not found/);
  });
  expect(result.rounds.at(-1)).toMatchObject({ samplesAdded: 5 });
});
