/** Workers and clients with and without a payload key, with another one, and payloads that were changed. */
import { ApplicationFailure, WorkflowFailedError } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { payloadConverterOf } from '../../workers/payload-codec.ts';
import { gate } from '../helpers/gate.ts';
import { planOn } from '../workflows/histories/scenarios.ts';
import { until } from '../workflows/until.ts';
import { converterOf, type EncryptedWorld, newKey, openEncryptedWorld } from './encrypted-world.ts';

let world: EncryptedWorld;
beforeAll(async () => {
  world = await openEncryptedWorld();
}, 300_000);
afterAll(() => world?.close());

const show = (id: string) => ['workflow', 'show', '--workflow-id', id];
const fakes = (queue: string) => fakeActivities(planOn(queue, { rounds: 0, directory: '/MARK-path' }), []);

test('a worker with a key takes a run that was started in the clear, and writes encrypted payloads', async () => {
  const queue = 'started-plain';
  const running = await world.worker(queue, fakes(queue));
  await running.runUntil(async () => {
    const start = ['workflow', 'start', '--type', 'dataEngine', '--task-queue', queue, '--workflow-id', queue];
    await world.temporal([...start, '--input', '{"config":"plain.yaml"}'], false);
    await world.client.workflow.getHandle(queue).result();
  });
  const history = await world.shown(show(queue));
  expect(history).toContain('plain.yaml');
  expect(history).not.toContain('MARK');
});

test('a worker without a key that meets an encrypted payload says so, and one with the key carries on', async () => {
  const queue = 'no-key';
  const none = payloadConverterOf(new Map());
  const start = { taskQueue: queue, workflowId: queue, args: [{ config: 'tiny.yaml' }] };
  const handle = await world.client.workflow.start('dataEngine', start);
  const message = 'A payload is encrypted with the key \\"k1\\", which is unknown (there is no key here). Add it to';
  await (await world.worker(queue, fakes(queue), none)).runUntil(
    until(async () => (await world.shown(show(queue))).includes(message)),
  );
  await expect(world.clientOf(none).workflow.getHandle(queue).describe()).resolves.toBeDefined();
  await (await world.worker(queue, fakes(queue))).runUntil(handle.result());
  await expect(world.clientOf(none).workflow.getHandle(queue).result()).rejects.toThrow(/key "k1", which is unknown/);
});

test('a run that began with one key ends with the next one, while both are known', async () => {
  const queue = 'rotated';
  const next = newKey('k2');
  const both = converterOf(next, world.key);
  const merging = gate();
  let merges = 0;
  const activities = {
    ...fakes(queue),
    merge: async () => {
      merges += 1;
      await merging.opened;
      return { seconds: 1, reused: false, parity: 0 };
    },
  };
  const start = { taskQueue: queue, workflowId: queue, args: [{ config: 'tiny.yaml' }] };
  const handle = await world.client.workflow.start('dataEngine', start);
  // The heartbeat's timeout gives the activity to the next worker.
  await (await world.worker(queue, { ...fakes(queue), evaluate: activities.merge }, world.dataConverter)).runUntil(
    until(() => {
      merging.open();
      return merges === 1;
    }),
  );
  await (await world.worker(queue, fakes(queue), both)).runUntil(handle.result().catch(() => undefined));
  const ids = (text: string) =>
    new Set([...text.matchAll(/"encryption-key-id": ?"([^"]+)"/g)].map(([, id]) => atob(id ?? '')));
  expect(ids(await world.shown(show(`${queue}/round-0`)))).toEqual(new Set(['k1', 'k2']));
  const history = await handle.fetchHistory();
  const { workflowBundle } = world.environment;
  await Worker.runReplayHistory({ workflowBundle, dataConverter: both }, history, queue);
  expect(await world.clientOf(both).workflow.getHandle(queue).result()).toBeDefined();
});

/** Encrypts, and changes the ciphertext of what holds the word. */
function tamperingConverter(word: string) {
  const [codec] = world.dataConverter.payloadCodecs ?? [];
  const encode = async (payloads: Payload[]) => {
    const encoded = (await codec?.encode(payloads)) ?? [];
    return encoded.map((one, index) => {
      const data = Buffer.from(one.data ?? []);
      if (Buffer.from(payloads[index]?.data ?? []).includes(word)) data[20] = (data[20] as number) ^ 1;
      return { ...one, data: new Uint8Array(data) };
    });
  };
  return {
    ...world.dataConverter,
    payloadCodecs: [{ decode: async (payloads: Payload[]) => payloads, ...codec, encode }],
  };
}

test('a payload that was changed ends the workflow at once with a sentence; an update is rejected with it', async () => {
  const queue = 'changed';
  const client = world.clientOf(tamperingConverter('CHANGED'));
  const going = gate();
  const activities = {
    ...fakes(queue),
    merge: () => going.opened.then(() => ({ seconds: 1, reused: false, parity: 0 })),
  };
  const running = await world.worker(queue, activities);
  await running.runUntil(async () => {
    const start = { taskQueue: queue, workflowId: queue, args: [{ config: 'CHANGED.yaml' }] };
    const handle = await client.workflow.start('dataEngine', start);
    const error = await handle.result().catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    expect((error as WorkflowFailedError).cause).toBeInstanceOf(ApplicationFailure);
    expect((error as WorkflowFailedError).cause).toMatchObject({
      type: 'InputError',
      message: /was changed after it was encrypted/,
    });
    expect(await world.shown(show(queue))).not.toContain('WORKFLOW_TASK_FAILED');

    const other = await client.workflow.start('dataEngine', {
      ...start,
      workflowId: 'update',
      args: [{ config: 'a.yaml' }],
    });
    const update = other.executeUpdate('pause', { args: [{ reason: 'CHANGED' }] });
    await expect(update).rejects.toMatchObject({ cause: { message: /was changed/ } });
    await client.workflow.getHandle('update').signal('reportRound', { round: 0, step: 'CHANGED' });
    const { currentDetails } = await other.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(currentDetails).toContain('`reportRound`: reportRound: A payload was changed after it was encrypted');
    going.open();
    await other.result();
  });
});
