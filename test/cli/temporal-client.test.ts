/** Messages to runs that nobody works on, against a real server. */
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeFailure } from '../../cli/failures.ts';
import { ask, update, WorkerSilent } from '../../cli/temporal-client.ts';
import { startEnvironment, type WorkflowTestEnvironment } from '../workflows/environment.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

/** Starts a run on a queue of its own. */
async function startRun(workflowId: string): Promise<Client> {
  const { client } = environment.temporal;
  await client.workflow.start('dataEngine', { taskQueue: workflowId, workflowId, args: [{ config: 'x.yaml' }] });
  return client;
}

test('a message to a run that no worker polls for is not sent, and what to start is said', async () => {
  const client = await startRun('alone');
  const failure: unknown = await update(client, 'alone', 'pause', {}).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(WorkerSilent);
  expect(describeFailure(failure)).toEqual({
    message:
      'alone: nothing was sent. No worker polls the queue alone. Start one: dataengine worker cpu --task-queue alone',
    exitCode: 1,
  });
  await expect(ask(client, 'alone', 'progress')).rejects.toThrow('alone: nothing was sent. No worker polls');
  await expect(update(client, 'nothing', 'pause')).rejects.toMatchObject({ name: 'WorkflowNotFoundError' });
}, 60_000);

test('a message to a run whose worker does not answer is not waited for without end', async () => {
  const client = await startRun('frozen');
  const { namespace } = client.options;
  // A worker that takes the run's task, and stops.
  await client.withDeadline(Date.now() + 20_000, () =>
    client.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue: { name: 'frozen' }, identity: 'frozen' }),
  );
  const failure: unknown = await update(client, 'frozen', 'pause', {}, 2000).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(WorkerSilent);
  expect(describeFailure(failure).message).toBe(
    'frozen: no worker has answered in 2 seconds, so it is not known whether this takes effect. ' +
      'Start one (`dataengine worker cpu`), then look with `dataengine watch`',
  );
}, 60_000);
