/** What a run and its rounds say of themselves, on a real server: in search attributes, details and the query `progress`. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isPolled } from '../../activities/is-polled.ts';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { registerSearchAttributes } from '../../workers/search-attributes.ts';
import type { RunPlan } from '../../workflows/inputs.ts';
import { type DataEngineProgress, type RoundProgress, standingInWords } from '../../workflows/messages.ts';
import { gate } from '../helpers/gate.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';

let environment: WorkflowTestEnvironment;
beforeAll(async () => {
  environment = await startEnvironment();
  await registerSearchAttributes(environment.temporal.nativeConnection, 'default');
}, 300_000);
afterAll(() => environment?.temporal.teardown());

type Activities = ReturnType<typeof fakeActivities>;

interface Started {
  run: WorkflowHandle;
  round: (number: number) => WorkflowHandle;
  notifications: () => string[];
}

async function started(
  name: string,
  changes: Partial<RunPlan>,
  change: (activities: Activities) => Partial<Activities>,
  work: (started: Started) => Promise<void>,
): Promise<void> {
  const calls: string[] = [];
  const plan = planOn(name, { searchAttributes: true, notifyOn: ['failed', 'done'], ...changes });
  const activities = fakeActivities(plan, calls);
  const worker = await createWorker(environment, name, { ...activities, ...change(activities) });
  const { workflow } = environment.temporal.client;
  await worker.runUntil(async () => {
    const run = await workflow.start('dataEngine', {
      taskQueue: name,
      workflowId: name,
      args: [{ config: 'tiny.yaml' }],
    });
    const round = (number: number) => workflow.getHandle(`${name}/round-${number}`);
    const notifications = () => calls.flatMap((call) => (call.startsWith('notify ') ? [call.slice(7)] : []));
    await work({ run, round, notifications });
  });
}

const progressOf = (handle: WorkflowHandle) => handle.query<DataEngineProgress & RoundProgress>('progress');
const inState = (handle: WorkflowHandle, state: string) =>
  until(async () => (await progressOf(handle).catch(() => undefined))?.state === state);
const stateInSearch = async (handle: WorkflowHandle) => (await handle.describe()).searchAttributes.DataEngineState?.[0];
const stepInSearch = async (handle: WorkflowHandle) => (await handle.describe()).searchAttributes.DataEngineStep?.[0];
const detailsOf = async (handle: WorkflowHandle) =>
  (await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata')).currentDetails ?? '';

const untilCanceled = async () => {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 100);
  return context.cancelled.finally(() => clearInterval(beat));
};

test('a round tells its run nothing while nothing is amiss, and is found by its step', async () => {
  const held = gate();
  await started(
    'quiet',
    { rounds: 1 },
    ({ evaluate }) => ({
      evaluate: async (reference) => {
        if (reference.round === 1) await held.opened;
        return evaluate(reference);
      },
    }),
    async ({ run, round }) => {
      await until(async () => (await stepInSearch(round(1)).catch(() => undefined)) === 'evaluate');
      expect(await stateInSearch(round(1))).toBe('running');
      held.open();
      await run.result();
      const { events = [] } = await run.fetchHistory();
      const count = (kind: string) =>
        events?.filter((event) => kind in event && event[kind as keyof typeof event]).length;
      expect(count('workflowExecutionSignaledEventAttributes')).toBe(0);
      expect(count('upsertWorkflowSearchAttributesEventAttributes')).toBeLessThanOrEqual(5);
    },
  );
}, 60_000);

test('a run that has ended is done, and so are its rounds', async () => {
  await started(
    'done',
    { rounds: 0 },
    () => ({}),
    async ({ run, round }) => {
      await run.result();
      expect(await progressOf(run)).toMatchObject({ state: 'completed', round: 0 });
      expect((await progressOf(run)).step).toBeUndefined();
      expect(await progressOf(round(0))).toMatchObject({ state: 'completed' });
      for (const handle of [run, round(0)]) expect(await stateInSearch(handle)).toBe('completed');
    },
  );
}, 60_000);

test('a run that failed has no step that runs', async () => {
  const merge = () => Promise.reject(ApplicationFailure.nonRetryable('no such model', 'InputError'));
  await started(
    'broken',
    { rounds: 0 },
    () => ({ merge }),
    async ({ run, round }) => {
      await expect(run.result()).rejects.toThrow();
      expect(await progressOf(run)).toMatchObject({ state: 'failed' });
      expect((await progressOf(round(0))).steps.map(({ name, state }) => [name, state])).toEqual([
        ['finetune', 'done'],
        ['merge', 'failed'],
      ]);
      for (const handle of [run, round(0)]) expect(await stateInSearch(handle)).toBe('failed');
    },
  );
}, 60_000);

test('a run whose round waits for approval says so itself', async () => {
  const approval = { timeoutHours: 1, defaultDecision: 'gate' as const };
  await started(
    'approving',
    { rounds: 1, approval },
    () => ({}),
    async ({ run, round }) => {
      await inState(run, 'waiting');
      expect(await progressOf(run)).toMatchObject({ round: 1, step: 'gate', asks: 'decision' });
      expect(await detailsOf(run)).toContain(
        '**Round 1 waits for a decision**: `dataengine approve approving/round-1`.',
      );
      for (const handle of [run, round(1)]) expect(await stateInSearch(handle)).toBe('waiting');
      await round(1).executeUpdate('decideRound', { args: [{ decision: 'accept' }] });
      await run.result();
      expect(await stateInSearch(run)).toBe('completed');
    },
  );
}, 60_000);

test('a run says that no worker polls the queue of the GPU workers, and runs once one does', async () => {
  const changes = {
    rounds: 0,
    lookForWorkersMinutes: 0.005,
    queues: { cpu: 'lonely', gpu: 'nobody', teacher: 'lonely' },
  };
  const lookForWorkers: Activities['lookForWorkers'] = async ({ queue }) => ({
    polled: await isPolled(Context.current().client, queue, 'activity'),
  });
  await started(
    'lonely',
    changes,
    () => ({ lookForWorkers }),
    async ({ run, round }) => {
      await inState(run, 'no-worker');
      expect(await progressOf(run)).toMatchObject({ unattended: 'nobody' });
      for (const handle of [run, round(0)]) {
        expect(await detailsOf(handle)).toContain('**No worker polls the queue `nobody`.**');
        expect(await stateInSearch(handle)).toBe('no-worker');
      }
      const gpu = await createWorker(environment, 'nobody', fakeActivities(planOn('nobody', changes), []));
      await gpu.runUntil(run.result());
      expect(await stateInSearch(run)).toBe('completed');
    },
  );
}, 60_000);

test('a run that is canceled notifies nobody; one whose round was canceled alone does', async () => {
  await started(
    'canceled',
    { rounds: 0 },
    () => ({ merge: untilCanceled }),
    async ({ run, round, notifications }) => {
      await until(async () => (await progressOf(round(0)).catch(() => undefined))?.steps.at(-1)?.name === 'merge');
      await run.cancel();
      await expect(run.result()).rejects.toThrow();
      expect(notifications()).toEqual([]);
      for (const handle of [run, round(0)]) expect(await stateInSearch(handle)).toBe('canceled');
      expect((await progressOf(round(0))).steps.at(-1)).toMatchObject({ name: 'merge', state: 'canceled' });
    },
  );
  await started(
    'alone',
    { rounds: 0 },
    () => ({ merge: untilCanceled }),
    async ({ run, round, notifications }) => {
      await until(async () => (await progressOf(round(0)).catch(() => undefined))?.steps.at(-1)?.name === 'merge');
      await round(0).cancel();
      await expect(run.result()).rejects.toThrow();
      expect(notifications()).toEqual(['Run tiny: has failed: round 0 was canceled']);
      expect(await stateInSearch(run)).toBe('failed');
    },
  );
}, 60_000);

test('a report that fails ends no run', async () => {
  const report = () => Promise.reject(ApplicationFailure.nonRetryable('no font', 'InputError'));
  await started(
    'without-report',
    { rounds: 1 },
    () => ({ report }),
    async ({ run, notifications }) => {
      expect(await run.result()).toMatchObject({ rounds: [{ round: 0 }, { round: 1 }] });
      expect((await progressOf(run)).ownSteps?.filter(({ state }) => state === 'skipped')).toHaveLength(2);
      expect(notifications()).toContain('Run tiny: round 0: the step report failed and was skipped: no font');
    },
  );
}, 60_000);

test('a receiver of notifications that does not answer holds no round up', async () => {
  const held = gate();
  await started(
    'slow-receiver',
    { rounds: 1, notifyOn: ['round'] },
    () => ({ notify: () => held.opened }),
    async ({ run }) => {
      await until(async () => (await run.query<object[]>('rounds')).length === 2);
      held.open();
      await run.result();
    },
  );
}, 60_000);

test('what a round is at is said in words where an answer is refused', () => {
  expect(standingInWords('running')).toBe('is running');
  expect(standingInWords('no-worker')).toBe('waits for a GPU worker');
  expect(standingInWords('no-teacher')).toBe('waits for its teacher');
});
