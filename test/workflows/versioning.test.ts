/**
 * Worker Versioning on a real server: a run stays with the build that it began with, and moves to the current one when it
 * continues as new.
 */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { versioningOptions } from '../../workers/worker-flags.ts';
import { gate } from '../helpers/gate.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

const deploymentName = 'data-engine';

/** What `temporal worker deployment set-current-version` does. The server knows a build once its worker has polled. */
async function makeCurrent(buildId: string): Promise<void> {
  const { workflowService } = environment.temporal.connection;
  await vi.waitFor(
    () =>
      workflowService.setWorkerDeploymentCurrentVersion({
        ...{ namespace: 'default', deploymentName, buildId },
        ignoreMissingTaskQueues: true,
      }),
    { timeout: 60_000, interval: 200 },
  );
}

test('a round under way ends on its own build, and the next one runs on the newer build', async () => {
  const held = gate();
  const calls: Record<'old' | 'new', string[]> = { old: [], new: [] };
  const startBuild = (build: 'old' | 'new') => {
    const activities = fakeActivities(planOn('versioned', { rounds: 1, roundsPerExecution: 10 }), calls[build]);
    const { finetune } = activities;
    activities.finetune = async (reference) => {
      const result = await finetune(reference);
      await held.opened;
      return result;
    };
    return createWorker(environment, 'versioned', activities, versioningOptions({ buildId: build }));
  };
  const oldWorker = await startBuild('old');
  const newWorker = await startBuild('new');

  await oldWorker.runUntil(async () => {
    await makeCurrent('old');
    const handle = await environment.temporal.client.workflow.start('dataEngine', {
      taskQueue: 'versioned',
      workflowId: 'versioned',
      args: [{ config: 'tiny.yaml' }],
    });
    await until(() => calls.old.includes('finetune 0'));
    await newWorker.runUntil(async () => {
      await makeCurrent('new');
      held.open();
      await handle.result();
    });
  });

  const rounds = (build: 'old' | 'new') => [...new Set(calls[build].map((call) => call.split(' ')[1]))];
  expect(rounds('old')).toContain('0');
  expect(calls.old.filter((call) => call.endsWith(' 1'))).toEqual([]);
  expect(calls.new.filter((call) => call.endsWith(' 0'))).toEqual([]);
  expect(calls.new).toContain('finetune 1');
}, 120_000);
