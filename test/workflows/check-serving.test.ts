/** The step `check-serving` is part of a round where the plan asks for it; the activities are made up. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

test.each([true, undefined])('checksServing: %s', async (checksServing) => {
  const queue = `check-serving-${checksServing}`;
  const calls: string[] = [];
  const worker = await createWorker(
    environment,
    queue,
    fakeActivities(planOn(queue, { rounds: 0, checksServing }), calls),
  );
  await worker.runUntil(
    environment.temporal.client.workflow.execute('dataEngine', {
      taskQueue: queue,
      workflowId: queue,
      args: [{ config: 'tiny.yaml' }],
    }),
  );
  const steps = calls.filter((call) => /^(merge|checkServing|evaluateShard) /.test(call));
  expect(new Set(steps)).toEqual(new Set(['merge 0', ...(checksServing ? ['checkServing 0'] : []), 'evaluateShard 0']));
  expect(steps.slice(0, 2)).toEqual(checksServing ? ['merge 0', 'checkServing 0'] : ['merge 0', 'evaluateShard 0']);
});
