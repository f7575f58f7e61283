/** Whether a queue has a worker, against a real server: one that waits for work, one that is busy, one that has gone. */
import { Context } from '@temporalio/activity';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isPolled } from '../../activities/is-polled.ts';
import { temporalExecutable } from '../../demo/command/temporal-server.ts';
import { gate } from '../helpers/gate.ts';
import { until } from '../workflows/until.ts';

let temporal: TestWorkflowEnvironment;
// In place of a minute each.
const recent = 4000;
Runtime.install({ logger: new DefaultLogger('ERROR'), workerHeartbeatInterval: '1s' });

beforeAll(async () => {
  const path = await temporalExecutable();
  temporal = await TestWorkflowEnvironment.createLocal({ server: { executable: { type: 'existing-path', path } } });
}, 120_000);
afterAll(() => temporal?.teardown());

test('a worker whose only slot is taken works on its queue, though it does not poll', async () => {
  const { client, nativeConnection: connection } = temporal;
  const isAttended = () => isPolled(client, 'gpu', 'activity', recent);
  expect(await isAttended()).toBe(false);
  const held = gate();
  let started = false;
  const worker = await Worker.create({
    ...{ connection, taskQueue: 'gpu', maxConcurrentActivityTaskExecutions: 1 },
    activities: {
      finetune: async () => {
        started = true;
        await Promise.race([held.opened, Context.current().cancelled]);
      },
    },
  });
  await worker.runUntil(async () => {
    await until(isAttended);
    await client.workflowService.startActivityExecution({
      ...{ namespace: 'default', activityId: 'finetune', activityType: { name: 'finetune' }, requestId: 'finetune' },
      ...{ taskQueue: { name: 'gpu' }, startToCloseTimeout: { seconds: 60 as never } },
    });
    await until(() => started);
    const { workflowService, options } = client;
    const older = {
      describeTaskQueue: workflowService.describeTaskQueue.bind(workflowService),
      listWorkers: () => Promise.reject(Object.assign(new Error('no'), { code: 12, details: 'no', metadata: {} })),
    };
    const olderServer = { options, workflowService: older as unknown as typeof workflowService };
    await until(async () => !(await isPolled(olderServer, 'gpu', 'activity', recent)));
    expect(await isAttended()).toBe(true);
    expect(await isPolled(client, 'cpu', 'activity', recent)).toBe(false);
    held.open();
  });
  await until(async () => !(await isAttended()));
}, 120_000);
