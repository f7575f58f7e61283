/**
 * `temporal workflow reset`, on a real server with activities that do no work: whichever workflow of a run is reset, and to
 * whichever of its tasks, while it runs or when it is over, the run ends as one that was left alone.
 */
import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StepReference } from '../../activities/references.ts';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { fakeGeneration, generationPlan } from '../../bench/support/fake-generation.ts';
import type { RunPlan } from '../../workflows/inputs.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';

let environment: WorkflowTestEnvironment;
beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);
afterAll(() => environment?.temporal.teardown());

const changes: Partial<RunPlan> = { rounds: 1, evaluationShards: 2, notifyOn: ['round', 'done'] };
const workflows = ['', '/round-0', '/round-1', '/round-1/generation'] as const;

const handleOf = (workflowId: string, runId?: string) =>
  environment.temporal.client.workflow.getHandle(workflowId, runId);

/** The tasks that a workflow has completed, by the ids of the events. */
async function tasksOf(handle: WorkflowHandle): Promise<number[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap(({ eventId, workflowTaskCompletedEventAttributes: task }) =>
    task ? [Number(eventId)] : [],
  );
}

/** @returns the id of the new execution */
async function reset(workflowId: string, runId: string, eventId: number): Promise<string> {
  const { client } = environment.temporal;
  const answer = await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId, runId },
    reason: 'test',
    requestId: randomUUID(),
    workflowTaskFinishEventId: eventId as never,
  });
  return answer.runId as string;
}

const runIdOf = async (workflowId: string) => (await handleOf(workflowId).describe()).runId;

/** Activities of a run. While `isHeld`, the step named waits until it is canceled. */
function activities(queue: string, held?: { step: 'merge' | 'askChunk'; round: number }) {
  const fakes = { ...fakeActivities(planOn(queue, changes), []), ...fakeGeneration({ ...generationPlan }) };
  const state = { isHeld: held !== undefined, waiting: 0, concurrent: 0, most: 0 };
  const hold = async (work: () => Promise<unknown>) => {
    state.concurrent += 1;
    state.most = Math.max(state.most, state.concurrent);
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat(), 50);
    try {
      state.waiting += 1;
      await Promise.race([until(() => !state.isHeld), context.cancelled]);
      return await work();
    } finally {
      clearInterval(beat);
      state.waiting -= 1;
      state.concurrent -= 1;
    }
  };
  const { merge, askChunk } = fakes;
  return {
    state,
    activities: {
      ...fakes,
      merge: (reference: StepReference) =>
        held?.step === 'merge' && reference.round === held.round ? hold(() => merge(reference)) : merge(reference),
      askChunk: (reference: Parameters<typeof askChunk>[0]) =>
        held?.step === 'askChunk' ? hold(() => askChunk(reference)) : askChunk(reference),
    },
  };
}

const start = (name: string, workflowId: string) =>
  environment.temporal.client.workflow.start('dataEngine', {
    taskQueue: name,
    workflowId,
    args: [{ config: 'tiny.yaml' }],
  });

test.each(workflows)(
  'a run that is over: reset of its workflow "%s" to each task ends as before',
  async (path) => {
    const name = `over${path.replaceAll('/', '-')}`;
    const worker = await createWorker(environment, name, activities(name).activities);
    await worker.runUntil(async () => {
      await (await start(name, name)).result();
      const workflowId = `${name}${path}`;
      const runId = await runIdOf(workflowId);
      const result = await handleOf(workflowId).result();
      const tasks = await tasksOf(handleOf(workflowId, runId));
      expect(tasks.length).toBeGreaterThan(2);
      for (const task of tasks) {
        const again = await reset(workflowId, runId, task);
        expect(await handleOf(workflowId, again).result(), `task ${task}`).toEqual(result);
      }
    });
  },
  300_000,
);

describe.each([
  { step: 'merge', round: 1 },
  { step: 'askChunk', round: 1 },
] as const)('a run under way, at $step of round $round', (held) => {
  const paths = workflows.filter((path) => path !== '/round-0' && (held.step === 'askChunk' || !path.endsWith('n')));
  test.each(paths)(
    'reset of its workflow "%s" to each task ends as one left alone',
    async (path) => {
      const name = `under-way-${held.step}${path.replaceAll('/', '-')}`;
      for (let index = 0; ; index += 1) {
        const { activities: own, state } = activities(name, held);
        const worker = await createWorker(environment, name, own);
        const isLast = await worker.runUntil(async () => {
          const id = `${name}-${index}`;
          await start(name, id);
          await until(() => state.waiting > 0);
          const workflowId = `${id}${path}`;
          const runId = await runIdOf(workflowId);
          const tasks = await tasksOf(handleOf(workflowId, runId));
          const task = tasks[index];
          // News that came together made one task less than in the run before.
          if (task === undefined) {
            state.isHeld = false;
            await handleOf(id).result();
            return true;
          }
          await reset(workflowId, runId, task);
          // What the reset left running goes on for a while.
          await until(async () => (await runIdOf(workflowId)) !== runId);
          setTimeout(() => {
            state.isHeld = false;
          }, 500);
          const result = (await handleOf(id).result()) as DataEngineResult;
          expect(result.rounds, `task ${task}`).toMatchObject([{ round: 0 }, { round: 1, samplesAdded: 5 }]);
          expect(result.stop.rule).toBe('rounds');
          for (const one of workflows) {
            const { status } = await handleOf(`${id}${one}`).describe();
            expect(status.name, `${one} after task ${task}`).toBe('COMPLETED');
          }
          return index === tasks.length - 1;
        });
        if (isLast) return;
      }
    },
    300_000,
  );
});
