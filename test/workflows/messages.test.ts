/**
 * Messages come from whoever may reach the server. A wrong update or query is refused at once in words; a wrong signal, which
 * nobody can be told of, is counted and shown, and changes nothing. No message fails a workflow task, which Temporal would try
 * again for ever.
 */
import { Client, type WorkflowHandle, WorkflowUpdateFailedError } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { fakePromptActivities, generationPlan } from '../../bench/support/fake-generation.ts';
import * as messages from '../../workflows/messages.ts';
import * as promptMessages from '../../workflows/prompt-messages.ts';
import * as steeringMessages from '../../workflows/steering-messages.ts';
import { gate } from '../helpers/gate.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';
import { historyNames, readHistory } from './histories/stored.ts';
import { until } from './until.ts';

let environment: WorkflowTestEnvironment;
beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);
afterAll(() => environment?.temporal.teardown());

const none = Symbol('no input at all');
const nothingNew = (handle: WorkflowHandle) => handle.query('progress').then((progress) => JSON.stringify(progress));

async function failedTasks(handle: WorkflowHandle): Promise<number> {
  const { events } = await handle.fetchHistory();
  return events?.filter((event) => event.workflowTaskFailedEventAttributes).length ?? 0;
}

const detailsOf = async (handle: WorkflowHandle) =>
  (await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata')).currentDetails ?? '';

/** One workflow of each kind under way, that no message of a test moves on. */
async function withAll(name: string, work: (handles: Record<string, WorkflowHandle>) => Promise<void>): Promise<void> {
  const { client } = environment.temporal;
  const held = gate();
  const hold = () => held.opened.then(() => Promise.reject(new Error('the test is over')));
  const worker = await createWorker(environment, name, {
    ...fakeActivities(planOn(name), []),
    ...fakePromptActivities(name),
    finetune: hold,
    startGeneration: async () => ({ ...generationPlan, limit: 0.01 }),
    evaluateEndpoint: hold,
    prune: hold,
  });
  const start = (workflow: string, input: unknown) =>
    client.workflow.start(workflow, { taskQueue: name, workflowId: `${name}-${workflow}`, args: [input] });
  const queues = { cpu: name, gpu: name, teacher: name };
  await worker.runUntil(async () => {
    const handles = {
      dataEngine: await start('dataEngine', { config: 'tiny.yaml' }),
      dataEngineRound: await start('dataEngineRound', { plan: planOn(name), round: 0 }),
      dataEngineGeneration: await start('dataEngineGeneration', {
        runDirectory: '/run',
        round: 1,
        queues: { cpu: queues.cpu, teacher: queues.teacher },
      }),
      dataEnginePromptOptimization: await start('dataEnginePromptOptimization', { config: 'tiny.yaml', samples: 2 }),
      dataEngineEndpointEvaluation: await start('dataEngineEndpointEvaluation', {
        benchmark: 'mmbench',
        endpoint: 'http://127.0.0.1:9/v1',
        teacherQueue: name,
      }),
      dataEnginePrune: await start('dataEnginePrune', { runDirectory: '/run' }),
    };
    const stepsOfRound = () =>
      client.workflow.getHandle(`${name}-dataEngine/round-0`).query<{ steps: { name: string }[] }>('progress');
    await until(async () => (await stepsOfRound().catch(() => undefined))?.steps.at(-1)?.name === 'finetune');
    await until(
      async () =>
        (await handles.dataEngineGeneration.query<{ state: string }>('progress')).state === 'waiting for a top-up',
    );
    await until(
      async () =>
        (await handles.dataEnginePromptOptimization.query<{ phase: string }>('progress')).phase ===
        'waiting for verdicts',
    );
    try {
      await work(handles);
      for (const handle of Object.values(handles)) expect(await failedTasks(handle), handle.workflowId).toBe(0);
    } finally {
      held.open();
      for (const handle of Object.values(handles)) await handle.terminate();
    }
  });
}

test('an update that its schema does not take is refused with what is wrong, and changes nothing', async () => {
  const cases: [workflow: string, update: string, given: unknown, words: RegExp][] = [
    ['dataEngine', 'pause', null, /^pause: has no value, and must be an object/],
    ['dataEngine', 'pause', 'now', /^pause: must be an object, not a text/],
    ['dataEngine', 'pause', { reason: 5 }, /^reason: a text of at most 500 characters/],
    ['dataEngine', 'pause', { reason: 'x'.repeat(501) }, /^reason: a text of at most 500 characters/],
    ['dataEngine', 'pause', { raeson: 'x' }, /^pause: has an unknown key: "raeson"/],
    ['dataEngine', 'resume', {}, /^resume: takes no input/],
    ['dataEngine', 'retryStep', null, /^retryStep: has no value/],
    ['dataEngine', 'skipStep', [], /^skipStep: must be an object, not a list/],
    ['dataEngine', 'giveUp', { step: 1 }, /^step: must be a text/],
    ['dataEngine', 'addRounds', none, /^addRounds: is missing/],
    ['dataEngine', 'addRounds', { more: '1' }, /^more: a whole number from 1 to 1000$/],
    ['dataEngine', 'addRounds', { more: -3 }, /^more: a whole number from 1 to 1000$/],
    ['dataEngine', 'join', null, /^join: has no value/],
    ['dataEngine', 'join', { config: 'x', state: {} }, /^join: has an unknown key: "state"/],
    ['dataEngineRound', 'decideRound', none, /^decideRound: is missing/],
    ['dataEngineRound', 'decideRound', { decision: 'perhaps' }, /^decision: accept or reject$/],
    ['dataEngineRound', 'decideRound', { decision: 'accept', comment: {} }, /^comment: a text/],
    ['dataEngineRound', 'approveTypes', null, /^approveTypes: has no value/],
    ['dataEngineRound', 'approveTypes', { types: [] }, /^types: is empty/],
    ['dataEngineRound', 'samplesReviewed', 1, /^samplesReviewed: takes no input/],
    ['dataEngineGeneration', 'topUp', none, /^topUp: is missing/],
    ['dataEngineGeneration', 'topUp', { amount: -1 }, /^amount: a number greater than 0/],
    ['dataEngineGeneration', 'topUp', { amount: '5' }, /^amount: a number greater than 0/],
    ['dataEngineGeneration', 'finishEarly', {}, /^finishEarly: takes no input/],
    ['dataEnginePromptOptimization', 'verdict', null, /^verdict: has no value/],
    ['dataEnginePromptOptimization', 'verdict', { sample: 's0', verdict: 'fine' }, /^verdict: good or bad$/],
    ['dataEnginePromptOptimization', 'decide', { action: 'dance' }, /^action: revise, accept or stop$/],
  ];
  await withAll('updates', async (handles) => {
    const before = await Promise.all(Object.values(handles).slice(0, 4).map(nothingNew));
    for (const [workflow, update, given, words] of cases) {
      const args = (given === none ? [] : [given]) as [unknown];
      const error = await (handles[workflow] as WorkflowHandle)
        .executeUpdate(update, { args })
        .catch((why: unknown) => why as Error);
      expect(error, update).toBeInstanceOf(WorkflowUpdateFailedError);
      expect(((error as Error).cause as Error).message, update).toMatch(words);
    }
    const two = handles.dataEngine?.executeUpdate('pause', { args: [{}, {}] });
    await expect(two).rejects.toMatchObject({ cause: { message: 'pause: takes one input, and was given 2' } });
    expect(await Promise.all(Object.values(handles).slice(0, 4).map(nothingNew))).toEqual(before);
  });
}, 120_000);

test('a query with an input is refused', async () => {
  await withAll('queries', async ({ dataEngineEndpointEvaluation: _, dataEnginePrune: __, ...handles }) => {
    for (const handle of Object.values(handles))
      await expect(handle.query('progress', { all: true })).rejects.toThrow('progress: takes no input');
  });
}, 120_000);

test('a wrong or unknown signal is counted and shown, and changes nothing', async () => {
  await withAll('signals', async (handles) => {
    const { dataEngine, ...others } = handles as Record<string, WorkflowHandle> & { dataEngine: WorkflowHandle };
    const before = await nothingNew(dataEngine);
    await dataEngine.signal('pause', { reason: 'look' });
    await dataEngine.signal('pause');
    for (const wrong of [null, 'x', [], {}, { round: 0, step: 'merge' }]) await dataEngine.signal('reportRound', wrong);
    const forged = { round: 0, execution: 'forged', step: 'merge' };
    await dataEngine.signal('reportRound', forged);
    await dataEngine.signal('reportRound', {
      ...forged,
      waiting: { round: 0, step: 'merge', problem: 'send money', skip: 'step' },
    });
    for (let number = 0; number < 6; number += 1) await dataEngine.signal(`signal-${number}`, number);
    expect(await nothingNew(dataEngine)).toBe(before);
    const details = await detailsOf(dataEngine);
    expect(details).toContain('**Signals that were refused, and changed nothing: 15.**');
    expect(details).toContain('`pause` (2 times): pause is an update, not a signal');
    expect(details).toContain('`reportRound` (7 times): it is not from the round under way');
    expect(details).toContain('`signal-0`: no such signal');
    expect(details).toContain('3 more with other names');
    for (const handle of Object.values(others)) {
      await handle.signal('steer', null);
      await handle.signal('nothing');
      expect(await detailsOf(handle), handle.workflowId).toContain('that were refused, and changed nothing: 2.');
    }
  });
}, 120_000);

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

describe('a payload that nobody can read', () => {
  const payloads: [what: string, payload: Payload, words: RegExp][] = [
    ['in an unknown encoding', { metadata: { encoding: bytes('x/y') }, data: bytes('1') }, /Unknown encoding: x\/y/],
    ['without an encoding', { metadata: {}, data: bytes('1') }, /can't be read/],
    ['that is no JSON', { metadata: { encoding: bytes('json/plain') }, data: bytes('{"a') }, /can't be read/],
    [
      'encrypted, without the id of its key',
      { metadata: { encoding: bytes('binary/encrypted') }, data: bytes('x') },
      /changed|which key/,
    ],
  ];

  test.each(payloads)(
    '%s: a start fails at once, an update is refused, a signal changes nothing',
    async (what, payload, words) => {
      const name = `unreadable ${what}`.replaceAll(/\W+/g, '-');
      // Every argument that this client sends becomes the payload.
      const encode = async (given: Payload[]) => given.map(() => payload);
      const codec = { encode, decode: async (given: Payload[]) => given };
      const { connection } = environment.temporal;
      const client = new Client({ connection, dataConverter: { payloadCodecs: [codec] } });
      await withAll(name, async (handles) => {
        for (const handle of Object.values(handles)) {
          const sending = client.workflow.getHandle(handle.workflowId);
          const update = handle.workflowId.endsWith('dataEngine') ? 'pause' : 'decideRound';
          if (/dataEngine(Round)?$/.test(handle.workflowId))
            await expect(sending.executeUpdate(update, { args: [{}] })).rejects.toMatchObject({
              cause: { message: expect.stringMatching(words) },
            });
          await sending.signal('steer', {});
          await sending.signal('reportRound', {});
          expect(await detailsOf(handle)).toContain('that were refused, and changed nothing: 2.');
          const workflow = handle.workflowId.split('-').at(-1) as string;
          const started = await client.workflow.start(workflow, {
            taskQueue: name,
            workflowId: `${handle.workflowId}-started`,
            args: [{}],
          });
          await expect(started.result()).rejects.toMatchObject({
            cause: { type: 'InputError', message: expect.stringMatching(words) },
          });
          expect(await failedTasks(started)).toBe(0);
        }
      });
    },
    120_000,
  );
});

test('every handler says what it is for', async () => {
  await withAll('described', async (handles) => {
    const described: string[] = [];
    for (const handle of Object.values(handles)) {
      const { definition } = await handle.query<{
        definition: Record<string, { name?: string; description?: string }[]>;
      }>('__temporal_workflow_metadata');
      for (const kind of ['queryDefinitions', 'signalDefinitions', 'updateDefinitions']) {
        for (const { name = '', description } of definition[kind] ?? []) {
          if (name === '' || name.startsWith('__')) continue;
          expect(description, `${handle.workflowId} ${name}`).toMatch(/^\S.{10,}/);
          described.push(name);
        }
      }
    }
    const known = Object.values({ ...messages, ...promptMessages, ...steeringMessages } as Record<
      string,
      unknown
    >).flatMap((value) =>
      typeof value === 'object' && value !== null && 'type' in value && 'name' in value && 'description' in value
        ? [String(value.name)]
        : [],
    );
    expect([...new Set(described)].sort()).toEqual([...new Set(known)].sort());
  });
}, 120_000);

test('every answer in the stored histories fits the schema of its message', async () => {
  const outputs = new Map(
    Object.values({ ...messages, ...promptMessages, ...steeringMessages } as Record<string, unknown>).flatMap(
      (value) =>
        typeof value === 'object' && value !== null && 'output' in value && 'type' in value && value.type === 'update'
          ? [[String((value as { name?: unknown }).name), value.output as { parse(value: unknown): unknown }] as const]
          : [],
    ),
  );
  const answered = new Set<string>();
  const contentOf = (payloads: { data?: string }[] | undefined) => {
    const [payload] = payloads ?? [];
    return payload?.data === undefined ? undefined : JSON.parse(Buffer.from(payload.data, 'base64').toString('utf8'));
  };
  for (const history of await historyNames()) {
    const { events } = await readHistory(history);
    const names = new Map<string, string>();
    for (const event of events as unknown as Record<string, Record<string, never>>[]) {
      const { acceptedRequest } = (event.workflowExecutionUpdateAcceptedEventAttributes ?? {}) as {
        acceptedRequest?: { meta: { updateId: string }; input: { name: string } };
      };
      if (acceptedRequest) names.set(acceptedRequest.meta.updateId, acceptedRequest.input.name);
      const { meta, outcome } = (event.workflowExecutionUpdateCompletedEventAttributes ?? {}) as {
        meta?: { updateId: string };
        outcome?: { success?: { payloads?: { data?: string }[] } };
      };
      const name = names.get(meta?.updateId ?? '');
      if (name === undefined || outcome?.success === undefined) continue;
      outputs.get(name)?.parse(contentOf(outcome.success.payloads));
      answered.add(name);
    }
    const { result } =
      (
        events.at(-1) as unknown as {
          workflowExecutionCompletedEventAttributes?: { result?: { payloads?: { data?: string }[] } };
        }
      ).workflowExecutionCompletedEventAttributes ?? {};
    const start = events[0]?.workflowExecutionStartedEventAttributes;
    if (result && start?.workflowType.name === 'dataEngine')
      messages.dataEngineResultSchema.parse(contentOf(result.payloads));
  }
  expect([...answered].sort()).toEqual([...outputs.keys()].sort());
});
