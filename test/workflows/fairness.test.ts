/** Two runs on one GPU queue, on a server whose matching is fair (docs/operations.md names the setting). */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import type { RunPlan } from '../../workflows/inputs.ts';
import { gate } from '../helpers/gate.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';

// The server is fair within each partition of a queue, of which it has four where nothing else is set.
const settings = ['enableFairness=true', 'numTaskqueueReadPartitions=1', 'numTaskqueueWritePartitions=1'];

let environment: WorkflowTestEnvironment;
beforeAll(async () => {
  environment = await startEnvironment(settings.flatMap((value) => ['--dynamic-config-value', `matching.${value}`]));
}, 300_000);
afterAll(() => environment?.temporal.teardown());

const gpu = 'shared-gpu';
const shards = 100;

function planOf(run: string, changes: Partial<RunPlan>): RunPlan {
  const queues = { cpu: run, gpu, teacher: run };
  return planOn(run, { run, directory: `/${run}`, rounds: 0, evaluationSets: ['validation'], queues, ...changes });
}

test("a run's shard is among the next two, however many shards of another run wait before it", async () => {
  const plans = { a: planOf('a', { evaluationShards: shards }), b: planOf('b', { evaluationShards: 1 }) };
  const { client } = environment.temporal;
  const pendingOf = async (run: string) => {
    const round = await client.workflow.getHandle(`${run}/round-0`).describe();
    return (round.raw.pendingActivities ?? []).map(({ activityType }) => activityType?.name ?? '');
  };
  const ofGpu = ['finetune', 'merge', 'evaluateShard'];
  const order: string[] = [];
  const firstShard = gate();
  let isBOver = true;
  const called = (name: string) => async (reference: { runDirectory: string }) => {
    const run = reference.runDirectory.slice(1);
    order.push(`${run} ${name}`);
    if (order.filter((call) => call === 'a evaluateShard').length === 1) await firstShard.opened;
    if (run === 'b' && name === 'evaluateShard') isBOver = true;
    // A shard takes longer than a workflow needs to schedule its next step, and the server to bring that to its queue.
    if (run === 'a' && !isBOver) {
      await until(async () => isBOver || (await pendingOf('b')).some((type) => ofGpu.includes(type)));
      await sleep(1000);
    }
    return { seconds: 1, reused: false, questions: 2, samples: 1, steps: 1, loss: 1, parity: 0 };
  };
  const fakes = fakeActivities(plans.a, []);
  const own = { finetune: called('finetune'), merge: called('merge'), evaluateShard: called('evaluateShard') };
  const gpuWorker = await createWorker(
    environment,
    gpu,
    { ...fakes, ...own },
    { maxConcurrentActivityTaskExecutions: 1 },
  );
  const [cpuA, cpuB] = await Promise.all(
    [plans.a, plans.b].map((plan) => createWorker(environment, plan.run, fakeActivities(plan, []))),
  );
  const start = (run: string) =>
    client.workflow.start('dataEngine', { taskQueue: run, workflowId: run, args: [{ config: 'tiny.yaml' }] });
  await cpuA?.runUntil(
    cpuB?.runUntil(
      gpuWorker.runUntil(async () => {
        const a = await start('a');
        await until(() => order.includes('a evaluateShard'));
        await until(async () => (await pendingOf('a')).length === shards);
        isBOver = false;
        const b = await start('b');
        await until(async () => (await pendingOf('b').catch((): string[] => [])).includes('finetune'));
        order.length = 0;
        firstShard.open();
        await b.result();
        const places = ofGpu.map((name) => order.indexOf(`b ${name}`));
        let before = -1;
        for (const place of places) {
          expect(place - before, order.slice(0, 12).join(', ')).toBeLessThanOrEqual(2);
          before = place;
        }
        await a.result();
        expect(order.filter((call) => call === 'a evaluateShard')).toHaveLength(shards - 1);
      }),
    ) as Promise<void>,
  );
}, 300_000);
