/** What `watch` says while nothing happens, against a real server: no worker, a step that fails again and again. */
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeActivities } from '../../../bench/support/fake-activities.ts';
import { followRun } from '../../../cli/watch/follow.ts';
import { createLineRenderer } from '../../../cli/watch/lines.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from '../../workflows/environment.ts';
import { planOn } from '../../workflows/histories/scenarios.ts';
import { until } from '../../workflows/until.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

/** Starts a run on a queue and watches it. */
async function watched(queue: string) {
  const { client } = environment.temporal;
  await client.workflow.start('dataEngine', { taskQueue: queue, workflowId: queue, args: [{ config: 'tiny.yaml' }] });
  const lines: string[] = [];
  const show = createLineRenderer({
    log: (line) => void lines.push(line),
    show: () => undefined,
    stop: () => undefined,
  });
  const ended = followRun(client, queue, show);
  return { lines, ended };
}

test('without a worker it says how to start one: first for the workflow, then for the GPU steps', async () => {
  const queue = 'nobody';
  const plan = planOn(queue, { queues: { cpu: queue, gpu: 'data-engine-gpu', teacher: queue }, rounds: 0 });
  const { lines, ended } = await watched(queue);
  await until(() => lines.length > 0);
  expect(lines).toEqual(['  No worker polls the queue nobody. Start one: dataengine worker cpu --task-queue nobody']);

  const cpu = await createWorker(environment, queue, fakeActivities(plan, []));
  await cpu.runUntil(async () => {
    await until(() => lines.some((line) => line.includes('data-engine-gpu')));
    expect(lines.at(-1)).toBe('  No worker polls the queue data-engine-gpu. Start one: dataengine worker gpu');
    const gpu = await createWorker(environment, 'data-engine-gpu', fakeActivities(plan, []));
    await gpu.runUntil(ended);
  });
  const closing = lines.filter((line) => /^round 0 \S+ +\d+ s/.test(line)).map((line) => line.split(/ +/)[2]);
  expect(closing).toEqual(['prepare-data', 'finetune', 'merge', 'evaluate', 'classify', 'gate', 'report']);
}, 120_000);

test('a step that fails says its last error and when the next attempt is; each step closes once', async () => {
  const queue = 'failing';
  let merges = 0;
  const activities = fakeActivities(planOn(queue), []);
  const { merge } = activities;
  activities.merge = async (reference) => {
    merges += 1;
    if (merges <= 2) throw ApplicationFailure.retryable(`the disk is busy ${merges}`);
    return merge(reference);
  };
  const worker = await createWorker(environment, queue, activities);
  await worker.runUntil(async () => {
    const { lines, ended } = await watched(queue);
    await ended;
    expect(lines).toContainEqual(
      expect.stringMatching(/^ {2}merge is retried after: the disk is busy [12]; attempt [23] (now|in [12] s)$/),
    );
    const closing = lines.filter((line) => /^round [01] \S+ +\d+ s/.test(line)).map((line) => line.slice(0, 21).trim());
    expect(closing).toEqual([...new Set(closing)]);
    // Rounds that take milliseconds are shown whole too.
    for (const round of [0, 1])
      for (const step of ['merge', 'gate', 'report']) {
        expect(closing).toContain(`round ${round} ${step}`);
      }
  });
}, 120_000);

test('shows no view that arrives after an interruption, whose words stand last', async () => {
  const { client } = environment.temporal;
  const workflowId = 'interrupted';
  const handle = await client.workflow.start('dataEngine', {
    ...{ taskQueue: workflowId, workflowId },
    args: [{ config: 'tiny.yaml' }],
  });
  const interruption = new AbortController();
  const lateClient = Object.assign(Object.create(client) as typeof client, {
    withDeadline: async <T>(deadline: number, read: () => Promise<T>): Promise<T> => {
      const view = await client.withDeadline(deadline, read);
      interruption.abort(new Error('interrupted'));
      return view;
    },
  });
  const shown: unknown[] = [];
  const followed = followRun(lateClient, workflowId, (view) => void shown.push(view), interruption.signal);
  await expect(followed).rejects.toThrow('interrupted');
  expect(shown).toEqual([]);
  await handle.terminate();
}, 60_000);
