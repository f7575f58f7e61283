/**
 * A round that waits for the approval of its discovered question types, on a real server; the activities are made up.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/activity';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import type { RoundProgress } from '../../workflows/messages.ts';
import { dataengine } from '../cli/in-this-process.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

const types = [
  { name: 'counting', title: 'counting', explanation: 'Count things.' },
  { name: 'other', title: 'other', explanation: 'Anything else.' },
];

/** Activities of a run whose round 0 discovers types that wait until they are approved. */
function discovering(queue: string, calls: string[]) {
  const activities = fakeActivities(planOn(queue, { rounds: 0, discovery: { timeoutHours: 1 } }), calls);
  const { approveTypes } = activities;
  activities.approveTypes = async (reference) => {
    if (reference.given.comment === 'wrong file') {
      throw ApplicationFailure.nonRetryable('/run/question-types/round-0.yaml: [0].name: is missing', 'InputError');
    }
    return approveTypes(reference);
  };
  return activities;
}

test('it waits with nothing running, shows what to do, and resumes by the command', async () => {
  const queue = 'discover-approved';
  const calls: string[] = [];
  const worker = await createWorker(environment, queue, discovering(queue, calls));
  const file = join(await temporaryFolder(), 'types.yaml');
  await writeFile(file, stringify(types));
  await worker.runUntil(async () => {
    const { client } = environment.temporal;
    const handle = await client.workflow.start('dataEngine', {
      taskQueue: queue,
      workflowId: queue,
      args: [{ config: 'tiny.yaml' }],
    });
    const round = client.workflow.getHandle(`${queue}/round-0`);
    const progress = () => round.query<RoundProgress>('progress').catch(() => undefined);
    await until(async () => (await progress())?.steps.at(-1)?.state === 'waiting');

    expect((await round.describe()).raw.pendingActivities).toEqual([]);
    const { currentDetails } = await round.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(currentDetails).toContain('This round waits for the approval of its question types.');
    expect(currentDetails).toContain('/run/question-types/round-0.yaml');
    expect(currentDetails).toContain(`dataengine approve-types ${queue}/round-0`);

    const approve = (approval: object) => round.executeUpdate('approveTypes', { args: [approval] });
    const refused = (message: string) => expect.objectContaining({ cause: expect.objectContaining({ message }) });
    const wrong = [{ ...types[0], name: 'Two Words' }];
    await expect(approve({ types: wrong })).rejects.toThrow(
      refused('types[0].name: must be lower-case words joined by _ or -'),
    );
    await expect(approve({ kinds: [] })).rejects.toThrow();
    // A mistake in the run's own file is reported, and the round keeps waiting.
    await expect(approve({ comment: 'wrong file' })).rejects.toThrow(
      refused('/run/question-types/round-0.yaml: [0].name: is missing'),
    );
    expect((await progress())?.steps.at(-1)).toMatchObject({ name: 'discover', state: 'waiting' });

    const { address } = environment.temporal;
    expect(await dataengine(address, 'approve-types', queue, '--types', file)).toBe('Round 0 uses 2 question types\n');
    await handle.result();
    await expect(approve({})).rejects.toThrow();
  });
  expect(calls.filter((call) => /discover|approveTypes|classify/.test(call))).toEqual([
    'discover 0',
    'approveTypes 0 person',
    'discover 0',
    'classify 0',
  ]);
});

test('when nobody answers in time, the types are used as they stand', async () => {
  const queue = 'discover-unanswered';
  const calls: string[] = [];
  const activities = discovering(queue, calls);
  const { prepareRun } = activities;
  activities.prepareRun = async (input) => ({
    ...(await prepareRun(input)),
    discovery: { timeoutHours: 1 / 3600 },
  });
  const worker = await createWorker(environment, queue, activities);
  await worker.runUntil(
    environment.temporal.client.workflow.execute('dataEngine', {
      taskQueue: queue,
      workflowId: queue,
      args: [{ config: 'tiny.yaml' }],
    }),
  );
  expect(calls).toContain('approveTypes 0 default');
});

test('a round without types to approve, or none to discover, takes no approval', async () => {
  const queue = 'discover-nothing';
  const calls: string[] = [];
  const activities = fakeActivities(planOn(queue, { rounds: 0 }), calls);
  const { client } = environment.temporal;
  let refused: unknown;
  activities.finetune = async () => {
    const round = client.workflow.getHandle(`${queue}/round-0`);
    refused = await round.executeUpdate('approveTypes', { args: [{}] }).catch((error) => error);
    return { seconds: 1, reused: false, samples: 1, steps: 1 };
  };
  const worker = await createWorker(environment, queue, activities);
  await worker.runUntil(
    client.workflow.execute('dataEngine', { taskQueue: queue, workflowId: queue, args: [{ config: 'tiny.yaml' }] }),
  );
  expect((refused as Error).cause).toMatchObject({
    message: 'Not now: the round does not wait for the approval of question types',
  });
  expect(calls.some((call) => call.startsWith('discover'))).toBe(false);
});
