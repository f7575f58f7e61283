/**
 * A run that is continued night after night, by a schedule or by starting it again, on a real server.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { prepareRun } from '../../activities/prepare-run.ts';
import { readRoundRecords, writeRoundRecord } from '../../activities/round-records.ts';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { scheduleOptions } from '../../cli/schedule-commands.ts';
import { temporalExecutable } from '../../demo/command/temporal-server.ts';
import { knowsSearchAttributes, registerSearchAttributes } from '../../workers/search-attributes.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyRun } from '../round/tiny-run.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';
import { dependencies } from './worker-activities.ts';

/** What an activity is given of Temporal: nothing stops it. */
const idle = { signal: new AbortController().signal, onProgress: () => undefined };

const run = promisify(execFile);
let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

/** The real reading of the config and keeping of rows; no other work is done. */
function nightlyActivities(queue: string, searchAttributes = false) {
  const calls: string[] = [];
  const activities = fakeActivities(planOn(queue), calls);
  return {
    calls,
    activities: {
      ...activities,
      prepareRun: (input: Parameters<typeof prepareRun>[0]) =>
        prepareRun(input, { searchAttributes, ...dependencies, ...idle }),
      recordRound: ({ runDirectory, summary }: Parameters<typeof activities.recordRound>[0]) =>
        writeRoundRecord({ root: runDirectory }, summary),
    },
  };
}

test('each night of a schedule adds a round to the same run, whatever Temporal calls the workflow', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    temporal: { taskQueues: { cpu: 'nightly', gpu: 'nightly' } },
  }));
  const { client, nativeConnection } = environment.temporal;
  const options = await scheduleOptions('nightly', { config, more: 1, cron: '0 2 * * *', catchupWindow: '1 hour' });
  expect(options.policies).toEqual({ overlap: 'SKIP', catchupWindow: '1 hour', pauseOnFailure: true });
  const schedule = await client.schedule.create(options);
  expect(await registerSearchAttributes(nativeConnection, 'default')).toHaveLength(5);
  expect(await registerSearchAttributes(nativeConnection, 'default')).toEqual([]);
  expect(await knowsSearchAttributes(nativeConnection, 'default')).toBe(true);

  const { activities, calls } = nightlyActivities('nightly', true);
  const worker = await createWorker(environment, 'nightly', activities);
  const results: DataEngineResult[] = [];
  await worker.runUntil(async () => {
    for (const night of [1, 2]) {
      await schedule.trigger();
      await until(async () => (await schedule.describe()).info.recentActions.length === night);
      const started = (await schedule.describe()).info.recentActions[night - 1];
      const workflowId = started?.action.workflow.workflowId ?? '';
      expect(workflowId).toMatch(/^nightly-\d{4}-/);
      results.push(await client.workflow.getHandle(workflowId).result());
    }
  });
  await schedule.delete();
  const root = join(folder, 'runs', 'nightly');
  expect(results.map(({ directory, rounds }) => [directory, rounds.map(({ round }) => round)])).toEqual([
    [root, [0, 1]],
    [root, [0, 1, 2]],
  ]);
  expect(calls.filter((call) => call.startsWith('finetune'))).toEqual(['finetune 0', 'finetune 1', 'finetune 2']);
  expect((await readRoundRecords({ root })).map(({ round }) => round)).toEqual([0, 1, 2]);

  const found: string[] = [];
  const query = 'WorkflowType = "dataEngine" AND DataEngineRun = "nightly" AND DataEngineBestScore = 50';
  await until(async () => {
    found.length = 0;
    for await (const { workflowId } of client.workflow.list({ query })) found.push(workflowId);
    return found.length === 2;
  });
});

test('the plain temporal command creates such a schedule too', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({ ...tiny, run: undefined, rounds: 5 }));
  const { client, address } = environment.temporal as typeof environment.temporal & { address?: string };
  const place = address ?? String((client.connection as unknown as { options: { address: string } }).options.address);
  const line = ['schedule', 'create', '--address', place, '--schedule-id', 'plain', '--cron', '0 2 * * *'];
  const more = ['--overlap-policy', 'Skip', '--catchup-window', '1h', '--pause-on-failure', '--type', 'dataEngine'];
  const work = ['--task-queue', 'plain', '--workflow-id', 'plain', '--input', JSON.stringify({ config })];
  await run(await temporalExecutable(), [...line, ...more, ...work]);
  const handle = client.schedule.getHandle('plain');
  expect((await handle.describe()).policies).toMatchObject({ overlap: 'SKIP', pauseOnFailure: true });
  await handle.delete();
  const scheduled = { config, workflowId: 'plain-2026-01-01T02:00:00Z', scheduledBy: 'plain' };
  const prepared = await new MockActivityEnvironment().run(() => prepareRun(scheduled, { ...dependencies, ...idle }));
  expect(prepared).toMatchObject({ run: 'plain', rounds: 1, earlier: [] });
});

test('a round with nothing new to learn from ends early with the reason, and runs again the next night', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    temporal: { taskQueues: { cpu: 'nothing-new', gpu: 'nothing-new' } },
  }));
  const { activities, calls } = nightlyActivities('nothing-new');
  const worker = await createWorker(environment, 'nothing-new', {
    ...activities,
    refine: async () => ({ seconds: 1, reused: false, accepted: 0, rejected: 6 }),
  });
  const result = await worker.runUntil(async () => {
    let last: DataEngineResult | undefined;
    for (const night of [1, 2]) {
      last = await environment.temporal.client.workflow.execute('dataEngine', {
        taskQueue: 'nothing-new',
        workflowId: `nothing-new-${night}`,
        args: [{ config, run: 'nothing-new', more: 1 }],
      });
    }
    return last as DataEngineResult;
  });
  expect(result.stop).toEqual({
    rule: 'nothing-new',
    reason: "round 1 ended early: none of the teacher's 6 answers is fit to learn from",
  });
  expect(result.rounds.map(({ round }) => round)).toEqual([0]);
  expect(calls.filter((call) => call.startsWith('finetune'))).toEqual(['finetune 0']);
  expect(calls.filter((call) => call === 'sample 1')).toHaveLength(2);
});
