/**
 * Inputs come from whoever may start a workflow or an activity. A wrong one ends the workflow at once with a sentence; it
 * never fails a workflow task, which Temporal would try again for ever. `bugs/15-workflow-input` is the case.
 */
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCpuActivities } from '../../activities/cpu.ts';
import { createGpuActivities } from '../../activities/gpu.ts';
import { createTeacherActivities } from '../../activities/teacher.ts';
import { dataEngineInputSchema, parseInput } from '../../workflows/inputs.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { dependencies } from './worker-activities.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
});

afterAll(() => environment?.temporal.teardown());

const plan = {
  run: 'r',
  directory: 's3://bucket-of-somebody/runs/r',
  configHash: 'x',
  rounds: 1,
  roundsPerExecution: 10,
  evaluationShards: 1,
  hasTest: false,
  evaluationSets: ['validation'],
  queues: { cpu: 'inputs', gpu: 'inputs', teacher: 'inputs' },
  finetuneTimeoutMinutes: 1,
};

const none = Symbol('no input at all');

describe('a workflow ends at once with a sentence when its input is', () => {
  const cases: [workflow: string, input: unknown, words: RegExp][] = [
    ['dataEngine', none, /is missing\. Give an object, such as \{"config"/],
    ['dataEngine', null, /has no value, and must be an object/],
    ['dataEngine', {}, /config: is missing/],
    ['dataEngine', 'configs/demo.yaml', /must be an object, not a text/],
    ['dataEngine', ['configs/demo.yaml'], /must be an object, not a list/],
    [
      'dataEngine',
      { confg: 'configs/demo.yaml' },
      /confg: no such key\. Known are config, dataRoot, run, seed, rounds, more/,
    ],
    ['dataEngine', { config: 'configs/demo.yaml', round: 5 }, /round: no such key/],
    ['dataEngine', { config: 5 }, /config: must be a text, not a number/],
    ['dataEngine', { config: 'configs/demo.yaml', rounds: -3 }, /rounds: must be at least 0/],
    ['dataEngine', { config: 'configs/demo.yaml', more: '1' }, /more: must be a number, not a text/],
    ['dataEngine', { config: 'configs/demo.yaml', run: '../../etc' }, /run: use letters, digits/],
    ['dataEngine', { config: 'configs/demo.yaml', samplingStrategy: 'best' }, /samplingStrategy: must be adaptive/],
    [
      'dataEngine',
      { config: 'configs/demo.yaml', state: { plan, nextRound: 1, rounds: [] } },
      /state: is set by continue-as-new only/,
    ],
    ['dataEngine', { config: 'x', state: { version: 99, plan, nextRound: 1, rounds: [] } }, /state\.version: /],
    ['dataEngineRound', {}, /plan: is missing/],
    ['dataEngineRound', { plan, round: '../..' }, /round: must be a number/],
    [
      'dataEngineRound',
      { plan: { ...plan, evaluationShards: 2 ** 40 }, round: 0 },
      /plan\.evaluationShards: must be at most/,
    ],
    [
      'dataEngineRound',
      { plan: { ...plan, embeddingShards: 2 ** 40 }, round: 0 },
      /plan\.embeddingShards: must be at most/,
    ],
    [
      'dataEngineRound',
      { plan: { ...plan, evaluationSets: Array(1000).fill('x'), evaluationShards: 1000 }, round: 0 },
      /plan\.evaluationShards: all sets together have 1000000 shards/,
    ],
    // As text such times are none that Temporal reads, and none that its server takes.
    ...[1e-7, 1e300].map((finetuneTimeoutMinutes): [string, unknown, RegExp] => [
      'dataEngineRound',
      { plan: { ...plan, finetuneTimeoutMinutes }, round: 0 },
      /plan\.finetuneTimeoutMinutes: must be (at least|at most|more than)/,
    ]),
    [
      'dataEngineRound',
      { plan: { ...plan, approval: { timeoutHours: 1e300, defaultDecision: 'gate' } }, round: 0 },
      /plan\.approval\.timeoutHours: must be at most/,
    ],
    [
      'dataEngineRound',
      { plan: { ...plan, failedStep: { waitHours: 1e300 } }, round: 0 },
      /plan\.failedStep\.waitHours: must be at most/,
    ],
    ['dataEngineGeneration', null, /must be an object/],
    ['dataEngineGeneration', { runDirectory: '/x', round: 1, queues: {} }, /queues\.cpu: is missing/],
    ['dataEnginePrune', none, /is missing/],
    ['dataEnginePrune', {}, /config: give one of config and runDirectory/],
    ['dataEnginePrune', { config: 'x', runDirectory: '/x' }, /config: give one of config and runDirectory/],
    ['dataEnginePrune', { config: 'x', keep: 1 }, /keep/],
    ['dataEngineVerification', none, /is missing/],
    ['dataEnginePromptOptimization', none, /is missing/],
    ['dataEnginePromptOptimization', { config: 'configs/demo.yaml', samples: 9 }, /samples: must be at most/],
    ['dataEnginePromptOptimization', { config: 'configs/demo.yaml', forRun: '..' }, /forRun: use letters/],
  ];

  test('wrong', { timeout: 120_000 }, async () => {
    const worker = await createWorker(environment, 'inputs', {});
    const { client } = environment.temporal;
    await worker.runUntil(async () => {
      for (const [number, [workflow, input, words]] of cases.entries()) {
        const handle = await client.workflow.start(workflow, {
          taskQueue: 'inputs',
          workflowId: `input-${number}`,
          args: input === none ? [] : [input],
          workflowExecutionTimeout: '20 seconds',
        });
        const error = await handle.result().then(
          () => undefined,
          (failure: unknown) => failure,
        );
        expect(error, JSON.stringify(input)).toBeInstanceOf(WorkflowFailedError);
        const { cause } = error as WorkflowFailedError;
        expect(cause, JSON.stringify(input)).toBeInstanceOf(ApplicationFailure);
        expect((cause as ApplicationFailure).type).toBe('InputError');
        expect(cause?.message).toMatch(words);
        const { events = [] } = await handle.fetchHistory();
        expect(events?.filter((event) => event.workflowTaskFailedEventAttributes)).toEqual([]);
      }
    });
  });
});

test('a wrong signal changes nothing, and a workflow that got one goes on', { timeout: 120_000 }, async () => {
  const worker = await createWorker(environment, 'inputs', {});
  const { client } = environment.temporal;
  const started: [workflow: string, input: unknown, signal: string][] = [
    ['dataEngine', { config: 'x' }, 'reportRound'],
    ['dataEngineRound', { plan, round: 0 }, 'steer'],
    ['dataEngineGeneration', { runDirectory: '/x', round: 1, queues: { cpu: 'inputs', teacher: 'inputs' } }, 'steer'],
  ];
  await worker.runUntil(async () => {
    for (const [workflow, input, signal] of started) {
      const workflowId = `signal-${workflow}`;
      const handle = await client.workflow.start(workflow, { taskQueue: 'inputs', workflowId, args: [input] });
      await handle.signal(signal);
      for (const wrong of [
        null,
        'x',
        [],
        { paused: 5, round: {}, step: {} },
        { answer: '', round: 1, step: 'a', waiting: 1 },
      ])
        await handle.signal(signal, wrong);
      const before = await handle.query('progress');
      const { events } = await handle.fetchHistory();
      expect(events?.filter((event) => event.workflowTaskFailedEventAttributes)).toEqual([]);
      expect(JSON.stringify(before)).not.toMatch(/paused|waiting/);
      await handle.terminate();
    }
  });
});

describe('an activity refuses an input that', () => {
  const activities: Record<string, (input: never) => Promise<unknown>> = {
    ...createCpuActivities(dependencies),
    ...createGpuActivities(dependencies),
    ...createTeacherActivities(dependencies),
  };
  const call = (name: string, input: unknown) =>
    new MockActivityEnvironment().run(activities[name] as (input: unknown) => Promise<unknown>, input);

  test.each(Object.keys(activities))('%s: has the wrong shape', async (name) => {
    for (const input of [
      undefined,
      null,
      {},
      'text',
      { runDirectory: '/x', round: -1 },
      { runDirectory: '/x', round: 0, more: 1 },
    ]) {
      await expect(call(name, input)).rejects.toMatchObject({ type: 'InputError', nonRetryable: true });
    }
  });

  test.each([
    ['merge', { runDirectory: '/root/.ssh', round: 0 }, /none of its folders/],
    ['finetune', { runDirectory: 's3://bucket-of-somebody/runs/r', round: 0 }, /is no store of this worker/],
    ['report', { runDirectory: 'file:///etc', round: 0 }, /none of its folders/],
    ['evaluateShard', { runDirectory: '/tmp/x', round: 0, set: '../../x', shard: 0 }, /set: use letters/],
    ['checkBatch', { runDirectory: '/tmp/x', round: 0, batch: '../files/x' }, /batch: use letters/],
    ['prune', { runDirectory: '/etc/ssh' }, /none of its folders/],
    ['prune', { config: '/etc/passwd' }, /none of the folders of this worker/],
    ['prepareRun', { config: '/proc/self/fd/4', workflowId: 'w' }, /none of the folders of this worker/],
    ['prepareRun', { config: '/etc/passwd', workflowId: 'w' }, /none of the folders of this worker/],
    ['preparePromptOptimization', { config: '/etc/passwd', workflowId: 'w' }, /none of the folders of this worker/],
  ])('%s: names what the worker may not touch: %o', async (name, input, words) => {
    await expect(call(name, input)).rejects.toMatchObject({
      nonRetryable: true,
      message: expect.stringMatching(words),
    });
  });
});

test('a key as long as a book is not repeated in the sentence', () => {
  const state = { version: 2, plan, nextRound: 1, rounds: [{ errorByType: { ['x'.repeat(100_000)]: {} } }] };
  let message = '';
  try {
    parseInput(dataEngineInputSchema, { config: 'x', state });
  } catch (error) {
    message = (error as Error).message;
  }
  expect(message).toMatch(/^The input is wrong: state\.rounds\.0\./);
  expect(message.length).toBeLessThan(1100);
});
