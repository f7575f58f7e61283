import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { WorkflowFailedError } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { rootCause } from '../../cli/failures.ts';
import type { DataEngineInput, RunPlan } from '../../workflows/inputs.ts';
import type { DataEngineResult, RoundProgress } from '../../workflows/messages.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { until } from './until.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

let queueNumber = 0;
const newQueue = () => {
  queueNumber += 1;
  return `queue-${queueNumber}`;
};

function planOn(taskQueue: string, changes: Partial<RunPlan> = {}): RunPlan {
  return {
    run: 'tiny',
    directory: '/run',
    configHash: 'c0ffee',
    rounds: 2,
    roundsPerExecution: 10,
    evaluationShards: 1,
    hasTest: true,
    evaluationSets: ['validation', 'test'],
    queues: { cpu: taskQueue, gpu: taskQueue, teacher: taskQueue },
    finetuneTimeoutMinutes: 5,
    ...changes,
  };
}

async function execute(
  taskQueue: string,
  activities: object,
  input: DataEngineInput = { config: 'tiny.yaml' },
): Promise<DataEngineResult> {
  const worker = await createWorker(environment, taskQueue, activities);
  return worker.runUntil(
    environment.temporal.client.workflow.execute('dataEngine', { taskQueue, workflowId: taskQueue, args: [input] }),
  );
}

test('round 0 trains and measures; later rounds make data first; each ends with the report', async () => {
  const queue = newQueue();
  const calls: string[] = [];
  const result = await execute(queue, fakeActivities(planOn(queue), calls));
  const measure = (round: number) =>
    ['finetune', 'merge', 'evaluateShard', 'evaluateShard', 'evaluate', 'classify', 'gate', 'record', 'report'].map(
      (name) => `${name} ${round}`,
    );
  const makeData = (round: number) => ['sample', 'generate', 'refine', 'append'].map((name) => `${name} ${round}`);
  expect(calls).toEqual([
    'prepareRun',
    'prepareData 0',
    ...measure(0),
    'embed 1',
    ...makeData(1),
    ...measure(1),
    ...makeData(2),
    ...measure(2),
  ]);
  expect(result.rounds.map((row) => row.round)).toEqual([0, 1, 2]);
  expect(result.rounds[0]).toMatchObject({
    samplesAdded: 0,
    teacherTokens: { prompt: 0, completion: 0 },
    multipleChoice: 50,
  });
  expect(result.rounds[1]).toMatchObject({
    samplesAdded: 5,
    samplesRejected: 1,
    teacherTokens: { prompt: 60, completion: 30 },
    datasetVersion: 'abcdef',
    testMultipleChoice: 45,
  });
});

test('each round is a child workflow named after the run, with summaries for the Temporal UI', async () => {
  const queue = newQueue();
  await execute(queue, fakeActivities(planOn(queue, { rounds: 1 }), []));
  const { client } = environment.temporal;
  const child = await client.workflow.getHandle(`${queue}/round-1`).describe();
  expect(child.status.name).toBe('COMPLETED');
  expect(await child.staticSummary()).toBe('Round 1 of tiny');
  const history = await client.workflow.getHandle(`${queue}/round-1`).fetchHistory();
  const summaries = (history.events ?? [])
    .map((event) => Buffer.from(event.userMetadata?.summary?.data ?? []).toString())
    .filter((text) => text !== '');
  expect(summaries).toContainEqual(expect.stringMatching(/^"Finetune the adapter /));
});

test('queries return the round, its steps and the finished rounds', async () => {
  const queue = newQueue();
  const worker = await createWorker(environment, queue, fakeActivities(planOn(queue, { rounds: 1 }), []));
  await worker.runUntil(async () => {
    const handle = await environment.temporal.client.workflow.start('dataEngine', {
      taskQueue: queue,
      workflowId: queue,
      args: [{ config: 'tiny.yaml' }],
    });
    await handle.result();
    expect(await handle.query('progress')).toMatchObject({
      run: 'tiny',
      round: 1,
      rounds: 1,
      roundWorkflowId: `${queue}/round-1`,
    });
    expect(await handle.query('rounds')).toHaveLength(2);
    const steps = await environment.temporal.client.workflow
      .getHandle(`${queue}/round-0`)
      .query<{ steps: object[] }>('progress');
    expect(steps.steps[0]).toEqual({ name: 'finetune', state: 'done', seconds: 1.5, note: '20 samples, loss 1.250' });
    const metadata = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
    expect(metadata.currentDetails).toContain(
      '| 1\u00a0\u00a0 | 50.0\u00a0\u00a0 | 40.0\u00a0\u00a0 | 45.0\u00a0\u00a0 |',
    );
  });
});

test('the run continues as new after a number of rounds and loses no row', async () => {
  const queue = newQueue();
  const calls: string[] = [];
  const result = await execute(queue, fakeActivities(planOn(queue, { rounds: 3, roundsPerExecution: 2 }), calls));
  expect(result.rounds.map((row) => row.round)).toEqual([0, 1, 2, 3]);
  expect(calls.filter((call) => call === 'prepareRun')).toHaveLength(1);
  const executions = environment.temporal.client.workflow.list({ query: `WorkflowId = "${queue}"` });
  const statuses: string[] = [];
  for await (const execution of executions) statuses.push(execution.status.name);
  expect(statuses.sort()).toEqual(['COMPLETED', 'CONTINUED_AS_NEW']);
});

test('evaluation is split over the configured shards', async () => {
  const queue = newQueue();
  const calls: string[] = [];
  await execute(
    queue,
    fakeActivities(
      planOn(queue, { rounds: 0, evaluationShards: 3, hasTest: false, evaluationSets: ['validation'] }),
      calls,
    ),
  );
  expect(calls.filter((call) => call === 'evaluateShard 0')).toHaveLength(3);
});

test('images are embedded in the configured shards, which are then joined', async () => {
  const queue = newQueue();
  const calls: string[] = [];
  await execute(queue, fakeActivities(planOn(queue, { rounds: 1, embeddingShards: 3 }), calls));
  expect(calls.filter((call) => call.startsWith('embed'))).toEqual([...Array(3).fill('embedShard 1'), 'embed 1']);
});

test('no more shards are scheduled at a time than the config says', async () => {
  const queue = newQueue();
  const activities = fakeActivities(
    planOn(queue, { rounds: 0, evaluationShards: 12, maxConcurrentShards: 3, evaluationSets: ['validation'] }),
    [],
  );
  const waiting: number[] = [];
  activities.evaluateShard = async () => {
    const round = await environment.temporal.client.workflow.getHandle(`${queue}/round-0`).describe();
    waiting.push(round.raw.pendingActivities?.length ?? 0);
    return { seconds: 1, reused: false, questions: 2 };
  };
  await execute(queue, activities);
  expect(waiting).toHaveLength(12);
  expect(Math.max(...waiting)).toBe(3);
});

test('wrong input is not retried, and its message reaches the caller', async () => {
  const queue = newQueue();
  let attempts = 0;
  const activities = {
    ...fakeActivities(planOn(queue), []),
    prepareData: async () => {
      attempts += 1;
      throw ApplicationFailure.nonRetryable(
        'train.json: [12].correct_choice_idx: 7 is out of range. Correct this value',
        'InputError',
      );
    },
  };
  const failure = await execute(queue, activities).catch((error) => error);
  expect(failure).toBeInstanceOf(WorkflowFailedError);
  expect(rootCause(failure)).toMatchObject({
    type: 'InputError',
    message: expect.stringContaining('[12].correct_choice_idx'),
  });
  expect(attempts).toBe(1);
});

test('a failure that may pass is retried', async () => {
  const queue = newQueue();
  let attempts = 0;
  const activities = fakeActivities(planOn(queue, { rounds: 0 }), []);
  const { merge } = activities;
  activities.merge = async (reference) => {
    attempts += 1;
    if (attempts === 1) throw new Error('the GPU hiccuped');
    return merge(reference);
  };
  await execute(queue, activities);
  expect(attempts).toBe(2);
});

const approval = { timeoutHours: 1, defaultDecision: 'gate' as const };

test('under the policy approve a round waits for a person, and nothing runs in the meantime', async () => {
  const queue = newQueue();
  const calls: string[] = [];
  const worker = await createWorker(environment, queue, fakeActivities(planOn(queue, { rounds: 1, approval }), calls));
  const result = await worker.runUntil(async () => {
    const { client } = environment.temporal;
    const handle = await client.workflow.start('dataEngine', {
      taskQueue: queue,
      workflowId: queue,
      args: [{ config: 'tiny.yaml' }],
    });
    const round = client.workflow.getHandle(`${queue}/round-1`);
    const decide = (verdict: object) => round.executeUpdate('decideRound', { args: [verdict] });
    const progress = () => round.query<RoundProgress>('progress').catch(() => undefined);
    await until(async () => (await progress()) !== undefined);
    await until(async () => (await progress())?.steps.at(-1)?.state === 'waiting');

    expect((await round.describe()).raw.pendingActivities).toEqual([]);
    const { currentDetails } = await round.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(currentDetails).toContain('This round waits for a decision.');
    expect(currentDetails).toContain('Score, against round 0: gain of 1.5 points is not significant');
    expect(currentDetails).toContain(`dataengine approve ${queue}/round-1 --reject`);
    await expect(decide({ decision: 'perhaps' })).rejects.toThrow(
      expect.objectContaining({ cause: expect.objectContaining({ message: 'decision: accept or reject' }) }),
    );
    expect(await decide({ decision: 'reject', comment: 'no' })).toEqual({ round: 1, decision: 'reject' });
    return handle.result() as Promise<DataEngineResult>;
  });
  expect(calls).toContain('gate 0');
  expect(calls).toContain('gate 1 person reject');
  expect(result).toMatchObject({ lastGood: 0, stop: { rule: 'rounds' } });
});

test('a decision that the round does not wait for is refused', async () => {
  const queue = newQueue();
  const { client } = environment.temporal;
  let refused: unknown;
  const activities = fakeActivities(planOn(queue, { rounds: 0 }), []);
  activities.finetune = async () => {
    const round = client.workflow.getHandle(`${queue}/round-0`);
    refused = await round.executeUpdate('decideRound', { args: [{ decision: 'accept' }] }).catch((error) => error);
    return { seconds: 1, reused: false, samples: 1, steps: 1 };
  };
  await execute(queue, activities);
  expect((refused as Error).cause).toMatchObject({ message: 'Not now: the round does not wait for a decision' });
});

test('without a decision in time the default decision applies', async () => {
  const queue = newQueue();
  const calls: string[] = [];
  const soon = { timeoutHours: 0.0001, defaultDecision: 'accept' as const };
  await execute(queue, fakeActivities(planOn(queue, { rounds: 1, approval: soon }), calls));
  expect(calls).toContain('gate 1 default accept');
});

test('a stop rule ends the run early, and the result has the reason', async () => {
  const queue = newQueue();
  const calls: string[] = [];
  const activities = fakeActivities(planOn(queue, { rounds: 5 }), calls);
  const { gate } = activities;
  const stop = { rule: 'target' as const, reason: '80.0 % reach the target of 80 %' };
  activities.gate = async (reference) => ({ ...(await gate(reference)), ...(reference.round === 1 && { stop }) });
  const result = await execute(queue, activities);
  expect(result.rounds.map(({ round }) => round)).toEqual([0, 1]);
  expect(result).toMatchObject({ stop, lastGood: 1 });
  expect(calls.filter((call) => call.startsWith('finetune'))).toEqual(['finetune 0', 'finetune 1']);
});

test('cancelling the loop cancels the round and waits until the activity has stopped', async () => {
  const queue = newQueue();
  const events: string[] = [];
  const activities = fakeActivities(planOn(queue), []);
  activities.finetune = async () => {
    const context = Context.current();
    events.push('finetune started');
    const beat = setInterval(() => context.heartbeat(), 100);
    try {
      return await context.cancelled;
    } finally {
      clearInterval(beat);
      await new Promise((resolve) => setTimeout(resolve, 300));
      events.push('trainer stopped');
    }
  };
  const worker = await createWorker(environment, queue, activities);
  await worker.runUntil(async () => {
    const handle = await environment.temporal.client.workflow.start('dataEngine', {
      taskQueue: queue,
      workflowId: queue,
      args: [{ config: 'tiny.yaml' }],
    });
    while (events.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await handle.cancel();
    const failure = await handle.result().catch((error) => error);
    events.push('workflow ended');
    expect(rootCause(failure)).toBeInstanceOf(CancelledFailure);
  });
  expect(events).toEqual(['finetune started', 'trainer stopped', 'workflow ended']);
  const child = await environment.temporal.client.workflow.getHandle(`${queue}/round-0`).describe();
  expect(child.status.name).toBe('CANCELLED');
});

test('the history of a finished loop replays', async () => {
  const queue = newQueue();
  await execute(queue, fakeActivities(planOn(queue, { rounds: 1 }), []));
  const { workflowBundle, temporal } = environment;
  for (const workflowId of [queue, `${queue}/round-0`, `${queue}/round-1`]) {
    const history = await temporal.client.workflow.getHandle(workflowId).fetchHistory();
    await Worker.runReplayHistory({ workflowBundle }, history, workflowId);
  }
});
