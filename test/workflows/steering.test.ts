/**
 * How a person steers a run, on a real server.
 */
import { ApplicationFailure } from '@temporalio/activity';
import { WithStartWorkflowOperation, type WorkflowHandle, WorkflowUpdateFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { fakeGeneration, generationPlan } from '../../bench/support/fake-generation.ts';
import { rootCause } from '../../cli/failures.ts';
import type { DataEngineInput, RunPlan } from '../../workflows/inputs.ts';
import type { DataEngineProgress, DataEngineResult, RoundProgress } from '../../workflows/messages.ts';
import { gate } from '../helpers/gate.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

const input: DataEngineInput = { config: 'tiny.yaml' };
type Activities = ReturnType<typeof fakeActivities>;
type Handle = WorkflowHandle<() => Promise<DataEngineResult>>;

/** Runs the workflow with a worker, while `meanwhile` does what a person would. */
async function steered(
  name: string,
  changes: Partial<RunPlan>,
  change: (activities: Activities) => Partial<Activities>,
  meanwhile: (handle: Handle) => Promise<void>,
): Promise<{ handle: Handle; calls: string[]; result: DataEngineResult | Error }> {
  const calls: string[] = [];
  const activities = fakeActivities(planOn(name, changes), calls);
  const worker = await createWorker(environment, name, { ...activities, ...change(activities) });
  return worker.runUntil(async () => {
    const handle: Handle = await environment.temporal.client.workflow.start('dataEngine', {
      taskQueue: name,
      workflowId: name,
      args: [input],
    });
    await meanwhile(handle);
    return { handle, calls, result: await handle.result().catch((error: Error) => error) };
  });
}

const progressOf = (handle: Handle) => handle.query<DataEngineProgress>('progress');
const stepsOf = async (handle: Handle, round: number) => {
  const child = environment.temporal.client.workflow.getHandle(`${handle.workflowId}/round-${round}`);
  return (await child.query<RoundProgress>('progress')).steps;
};
const refusal = (handle: Handle, update: string, value?: unknown): Promise<string> =>
  (value === undefined ? handle.executeUpdate(update) : handle.executeUpdate(update, { args: [value] })).then(
    () => 'taken',
    (error: Error) => {
      expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
      return (error.cause as Error).message;
    },
  );
const detailsOf = async (handle: Handle) =>
  (await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata')).currentDetails;

describe('pause and resume', () => {
  test('a paused run finishes its step and starts no other until it is resumed, and shows that', async () => {
    const merging = gate();
    const { calls, result } = await steered(
      'paused',
      { rounds: 0 },
      ({ merge }) => ({
        merge: async (reference) => {
          await merging.opened;
          return merge(reference);
        },
      }),
      async (handle) => {
        await until(async () => (await stepsOf(handle, 0).catch(() => [])).at(-1)?.name === 'merge');
        const paused = await handle.executeUpdate<DataEngineProgress, [object]>('pause', {
          args: [{ reason: 'the GPU is needed' }],
        });
        expect(paused).toMatchObject({ round: 0, state: 'paused', paused: { reason: 'the GPU is needed' } });
        expect(await refusal(handle, 'pause')).toBe('The run is already paused');
        merging.open();
        await until(async () => (await stepsOf(handle, 0)).at(-1)?.state === 'paused');
        expect(await stepsOf(handle, 0)).toMatchObject([
          { name: 'finetune', state: 'done' },
          { name: 'merge', state: 'done' },
          { name: 'evaluate', state: 'paused', note: 'the GPU is needed' },
        ]);
        expect(await detailsOf(handle)).toContain('**Paused** (the GPU is needed)');
        await handle.executeUpdate('resume');
        expect(await refusal(handle, 'resume')).toBe('The run is not paused');
      },
    );
    expect(result).toMatchObject({ rounds: [{ round: 0 }] });
    expect(calls.filter((call) => call.startsWith('evaluate '))).toEqual(['evaluate 0']);
  });

  test('a paused generation sends the teacher no further request', async () => {
    const first = gate();
    let asked = 0;
    const { result } = await steered(
      'paused-generation',
      {},
      () =>
        fakeGeneration(generationPlan, {
          beforeChunk: () => {
            asked += 1;
            return first.opened;
          },
        }),
      async (handle) => {
        await until(() => asked === generationPlan.maxConcurrentChunks);
        await handle.executeUpdate('pause');
        const generation = environment.temporal.client.workflow.getHandle(`${handle.workflowId}/round-1/generation`);
        // The run signals the round, and the round its generation: until then, chunks that end are followed by others.
        await until(async () => {
          const { events } = await generation.fetchHistory();
          return events?.some((event) => event.workflowExecutionSignaledEventAttributes) === true;
        });
        first.open();
        await until(async () => (await generation.query<{ state: string }>('progress')).state === 'paused');
        expect(asked).toBe(generationPlan.maxConcurrentChunks);
        await handle.executeUpdate('resume');
      },
    );
    expect(asked).toBe(generationPlan.chunks);
    expect(result).toMatchObject({ rounds: [{ round: 0 }, { round: 1 }] });
  });

  test('a pause and updates under way survive continue-as-new', async () => {
    const { handle, result } = await steered(
      'paused-over-executions',
      { rounds: 2, roundsPerExecution: 1 },
      () => ({}),
      async (handle) => {
        // One after the other without a break, so that some arrive at the end of an execution.
        for (let turn = 0; turn < 6; turn += 1) {
          if ((await handle.describe()).status.name !== 'RUNNING') break;
          await handle.executeUpdate('pause');
          expect(await progressOf(handle)).toMatchObject({ paused: {} });
          await handle.executeUpdate('resume');
        }
      },
    );
    expect((result as DataEngineResult).rounds.map(({ round }) => round)).toEqual([0, 1, 2]);
    const statuses: string[] = [];
    const { client } = environment.temporal;
    for await (const { status } of client.workflow.list({ query: `WorkflowId = "${handle.workflowId}"` })) {
      statuses.push(status.name);
    }
    expect(statuses.filter((status) => status === 'CONTINUED_AS_NEW')).toHaveLength(2);
  });
});

describe('a failed step', () => {
  const failedStep = { waitHours: 1 };
  const broken = () => Promise.reject(ApplicationFailure.nonRetryable('train.json: broken', 'InputError'));

  test('waits for a person, is retried, and waits again if that was too early', async () => {
    let repaired = false;
    let attempts = 0;
    const { calls, result } = await steered(
      'retried',
      { rounds: 0, failedStep },
      ({ finetune }) => ({
        finetune: async (reference) => {
          attempts += 1;
          return repaired ? finetune(reference) : broken();
        },
      }),
      async (handle) => {
        expect(await refusal(handle, 'retryStep')).toBe('No step waits for an answer: round 0 is running');
        for (const expected of [1, 2]) {
          await until(async () => attempts === expected && (await progressOf(handle)).waiting !== undefined);
          repaired = expected === 2;
          if (repaired) break;
          await handle.executeUpdate('retryStep');
        }
        expect(await progressOf(handle)).toMatchObject({
          waiting: { round: 0, step: 'finetune', problem: 'train.json: broken' },
        });
        expect(await detailsOf(handle)).toContain('**The step finetune of round 0 failed**');
        expect(await refusal(handle, 'retryStep', { step: 'merge' })).toBe(
          'It is the step finetune that waits, not merge',
        );
        expect(await refusal(handle, 'skipStep')).toMatch(/^The step finetune of round 0 can't be skipped/);
        await handle.executeUpdate('retryStep', { args: [{ step: 'finetune' }] });
      },
    );
    expect(attempts).toBe(3);
    expect(result).toMatchObject({ rounds: [{ round: 0, multipleChoice: 50 }] });
    expect(calls.filter((call) => call === 'merge 0')).toHaveLength(1);
  });

  test('ends the run when the person gives up', async () => {
    const { result } = await steered(
      'given-up',
      { rounds: 0, failedStep },
      () => ({ prepareData: broken }),
      async (handle) => {
        await until(async () => (await progressOf(handle)).waiting?.step === 'prepare-data');
        await handle.executeUpdate('giveUp');
      },
    );
    expect(rootCause(result)).toMatchObject({ type: 'InputError', message: 'train.json: broken' });
  });

  test('ends the run when nobody answers in time', async () => {
    const { result } = await steered(
      'unanswered',
      { rounds: 0, failedStep: { waitHours: 1 / 3600 } },
      () => ({ merge: broken }),
      async () => undefined,
    );
    expect(rootCause(result)).toMatchObject({ type: 'InputError' });
  });

  test('can be skipped when it is the report', async () => {
    const { result } = await steered(
      'without-report',
      { rounds: 0, failedStep },
      () => ({ report: broken }),
      async (handle) => {
        await until(async () => (await progressOf(handle)).waiting?.step === 'report');
        await handle.executeUpdate('skipStep');
      },
    );
    expect(result).toMatchObject({ rounds: [{ round: 0 }] });
  });

  test('can be cancelled while it waits', async () => {
    const { handle } = await steered(
      'cancelled-while-waiting',
      { rounds: 0, failedStep },
      () => ({ merge: broken }),
      async (handle) => {
        await until(async () => (await progressOf(handle)).waiting !== undefined);
        await handle.cancel();
      },
    );
    expect((await handle.describe()).status.name).toBe('CANCELLED');
  });
});

describe('a run under way', () => {
  test('takes more rounds', async () => {
    const { result } = await steered(
      'more-rounds',
      { rounds: 0 },
      () => ({}),
      async (handle) => {
        await handle.executeUpdate('pause');
        await until(async () => (await progressOf(handle)).rounds !== undefined);
        expect(await refusal(handle, 'addRounds', { more: 0.5 })).toBe('more: a whole number from 1 to 1000');
        expect(await handle.executeUpdate('addRounds', { args: [{ more: 2 }] })).toEqual({ rounds: 2 });
        await handle.executeUpdate('resume');
      },
    );
    expect((result as DataEngineResult).rounds.map(({ round }) => round)).toEqual([0, 1, 2]);
  });

  test('is joined by a start with the same input, and by no other', async () => {
    await steered(
      'joined',
      { rounds: 0 },
      () => ({}),
      async (handle) => {
        await handle.executeUpdate('pause');
        const join = (given: DataEngineInput) =>
          environment.temporal.client.workflow.executeUpdateWithStart('join', {
            args: [given],
            startWorkflowOperation: new WithStartWorkflowOperation('dataEngine', {
              workflowId: handle.workflowId,
              taskQueue: handle.workflowId,
              args: [given],
              workflowIdConflictPolicy: 'USE_EXISTING',
            }),
          });
        expect(await join(input)).toMatchObject({ paused: {} });
        const failure = await join({ ...input, seed: 7 }).catch((error: Error) => error);
        expect(((failure as Error).cause as Error).message).toMatch(/under way with seed not given, not 7/);
        await handle.executeUpdate('resume');
      },
    );
  });
});
