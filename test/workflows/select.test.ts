/** The step `select`: where the plan asks for it, and in a whole round whose trainer alone is made up. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { pretendTrainerEntry, writeTinyRun } from '../round/tiny-run.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment, withWorkers } from './environment.ts';
import { planOn } from './histories/scenarios.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

async function runMadeUp(queue: string, selects: boolean | undefined, accepted: number) {
  const calls: string[] = [];
  const activities = fakeActivities(planOn(queue, { selects }), calls);
  const select = async ({ round }: { round: number }) => {
    calls.push(`select ${round}`);
    return { seconds: 1, reused: false, accepted, rejected: 5 - accepted, tooEasy: 1, tooHard: 4 - accepted, spare: 0 };
  };
  const worker = await createWorker(environment, queue, { ...activities, select });
  const result: DataEngineResult = await worker.runUntil(
    environment.temporal.client.workflow.execute('dataEngine', {
      taskQueue: queue,
      workflowId: queue,
      args: [{ config: 'tiny.yaml' }],
    }),
  );
  return { calls, result };
}

test.each([true, undefined])('selects: %s', async (selects) => {
  const { calls, result } = await runMadeUp(`select-${selects}`, selects, 4);
  const steps = calls.filter((call) => /^(refine|select|append) /.test(call));
  expect(steps).toEqual(selects ? ['refine 1', 'select 1', 'append 1'] : ['refine 1', 'append 1']);
  expect(result.rounds[1]?.samplesRejected).toBe(selects ? 2 : 1);
});

test('a round of which no sample is kept ends the run', async () => {
  const { calls, result } = await runMadeUp('select-none', true, 0);
  expect(calls).not.toContain('append 1');
  expect(result).toMatchObject({
    stop: { rule: 'nothing-new', reason: expect.stringContaining('none of the 5 samples is as difficult as wanted') },
  });
});

test('a whole run keeps the samples in the window', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    rounds: 1,
    sampling: {
      ...tiny.sampling,
      ...{ requests: 4, strategy: 'difficulty-window', difficulty: { from: 0.1, to: 0.9, candidates: 2 } },
    },
  }));
  const trainer = { ...typescriptTrainer(pretendTrainerEntry), environment: {} };
  const result: DataEngineResult = await withWorkers(environment, trainer, () =>
    environment.temporal.client.workflow.execute('dataEngine', {
      taskQueue: 'data-engine',
      workflowId: 'select',
      args: [{ config }],
    }),
  );
  const round = join(folder, 'runs', 'select', 'round-1');
  const { metrics } = JSON.parse(await readFile(join(round, 'select', 'manifest.json'), 'utf8'));
  expect(metrics.accepted).toBeGreaterThan(0);
  expect(metrics.accepted).toBeLessThanOrEqual(4);
  expect(result.rounds[1]).toMatchObject({ samplesAdded: metrics.accepted });
  expect(Object.keys(result.rounds[1]?.seconds ?? {})).toContain('select');
  expect(await readFile(result.report, 'utf8')).toContain('with probability 0.1 to 0.9');
}, 300_000);
