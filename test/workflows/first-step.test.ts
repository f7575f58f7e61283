/** What a run does besides its rounds: notes of its first step, a look for the teacher, a report of a round that ended early. */
import { ApplicationFailure } from '@temporalio/activity';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { rootCause } from '../../cli/failures.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

async function execute(taskQueue: string, activities: object): Promise<DataEngineResult> {
  const worker = await createWorker(environment, taskQueue, activities);
  const args: [object] = [{ config: 'tiny.yaml' }];
  return worker.runUntil(
    environment.temporal.client.workflow.execute('dataEngine', { taskQueue, workflowId: taskQueue, args }),
  );
}

interface Metadata {
  currentDetails?: string;
}

test('what the first step notes is in the details to the end, also of the executions that follow', async () => {
  const queue = 'notes';
  const calls: string[] = [];
  const activities = fakeActivities(planOn(queue, { rounds: 1, roundsPerExecution: 1 }), calls);
  const prepared = {
    seconds: 1,
    reused: false,
    questions: 4,
    images: 4,
    notes: ['The gate can never reject a round.'],
  };
  const worker = await createWorker(environment, queue, { ...activities, prepareData: async () => prepared });
  const { currentDetails } = await worker.runUntil(async () => {
    const { client } = environment.temporal;
    const handle = await client.workflow.start('dataEngine', {
      taskQueue: queue,
      workflowId: queue,
      args: [{ config: 'tiny.yaml' }],
    });
    await handle.result();
    return client.workflow.getHandle(queue).query<Metadata>('__temporal_workflow_metadata');
  });
  expect(currentDetails).toContain('**Note**: The gate can never reject a round.');
});

test('where the CPU worker leaves the teacher to others, one of those looks whether it answers, before anything is trained', async () => {
  const queue = 'teacher-elsewhere';
  const queues = { cpu: queue, gpu: queue, teacher: `${queue}-teacher` };
  const calls: string[] = [];
  const activities = fakeActivities(planOn(queue, { rounds: 0, queues }), calls);
  const prepared = { seconds: 1, reused: false, questions: 4, images: 4, leavesTeacher: true };
  const cpu = await createWorker(environment, queue, { ...activities, prepareData: async () => prepared });
  const teacher = await createWorker(environment, queues.teacher, {
    checkTeacher: async () => {
      throw ApplicationFailure.nonRetryable('OPENAI_API_KEY: is not set', 'InputError');
    },
  });
  const { client } = environment.temporal;
  const failure = await cpu
    .runUntil(
      teacher.runUntil(
        client.workflow.execute('dataEngine', { taskQueue: queue, workflowId: queue, args: [{ config: 'tiny.yaml' }] }),
      ),
    )
    .catch((error: unknown) => error);
  expect(rootCause(failure)).toMatchObject({ message: 'OPENAI_API_KEY: is not set' });
  expect(calls).not.toContain('finetune 0');
});

test('a round with nothing new to train on ends the run with a report, which has what it has cost', async () => {
  const queue = 'ended-early';
  const calls: string[] = [];
  const activities = fakeActivities(planOn(queue), calls);
  const refine = async () => ({ seconds: 1, reused: false, accepted: 0, rejected: 6 });
  const { stop, rounds } = await execute(queue, { ...activities, refine });
  expect(stop.rule).toBe('nothing-new');
  expect(rounds.map(({ round }) => round)).toEqual([0]);
  expect(calls.at(-1)).toBe('report 1');
});
