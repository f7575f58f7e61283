/**
 * `/healthz` of real workers, as a probe sees it, with limits of seconds in place of minutes.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker as Thread } from 'node:worker_threads';
import { Context } from '@temporalio/activity';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { createCpuActivities } from '../../activities/cpu.ts';
import { withHeartbeat } from '../../activities/heartbeat.ts';
import { countActivities } from '../../activities/signs-of-life.ts';
import { openStepProcesses } from '../../activities/step-processes.ts';
import { type HealthLimits, serveHealth } from '../../workers/health.ts';
import { gate } from '../helpers/gate.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { startEnvironment, type WorkflowTestEnvironment } from '../workflows/environment.ts';
import { dependencies } from '../workflows/worker-activities.ts';

const aSecond = { blockedSeconds: 1, stuckSeconds: 1 };
let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 60_000);
afterAll(() => environment.temporal.teardown());

/** Runs a worker with two slots and these activities, and its health. */
async function startWorker(taskQueue: string, activities: object, limits: HealthLimits = aSecond) {
  const worker = await Worker.create({
    connection: environment.temporal.nativeConnection,
    taskQueue,
    activities,
    maxConcurrentActivityTaskExecutions: 2,
    interceptors: { activity: [countActivities] },
    // Cancellation comes with the answer to a heartbeat.
    maxHeartbeatThrottleInterval: '200ms',
    shutdownForceTime: '100ms',
  });
  const running = worker.run();
  const health = await serveHealth([{ worker, slots: 2 }], { port: 0, limits });
  onTestFinished(async () => {
    await health.close();
    worker.shutdown();
    await running.catch(() => undefined);
  });
  const address = `http://127.0.0.1:${health.port}/healthz`;
  const ask = async () => {
    const response = await fetch(address);
    return { status: response.status, ...((await response.json()) as { activities: number; problem?: string }) };
  };
  await vi.waitFor(async () => expect((await ask()).status).toBe(200), { timeout: 10_000 });
  const start = (activity: string, id: string, ...args: unknown[]) =>
    environment.temporal.client.activity.start(activity, {
      id,
      taskQueue,
      args,
      heartbeatTimeout: '1 minute',
      startToCloseTimeout: '2 minutes',
      retry: { maximumAttempts: 1 },
    });
  return { ask, address, start };
}

test('503 while the event loop is blocked, 200 again after', async () => {
  const { address, ask } = await startWorker('blocked', { wait: async () => undefined });
  // This process blocks itself until a probe from another one has had its answer.
  const probe = `
    const until = Date.now() + 20_000;
    let last;
    do {
      const response = await fetch('${address}');
      last = response.status + ' ' + (await response.text());
      if (response.status === 503) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    } while (Date.now() < until);
    process.stdout.write(last);`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', probe], { encoding: 'utf8' });
  expect(stdout).toMatch(/^503 .*"the event loop has been blocked for \d+ s"/);
  await vi.waitFor(async () => expect(await ask()).toMatchObject({ status: 200 }));
});

test('503 once all slots are held without heartbeat or completion', async () => {
  const end = gate();
  const { ask, start } = await startWorker('held', { wait: () => end.opened });
  await start('wait', 'held-1');
  await vi.waitFor(async () => expect((await ask()).activities).toBe(1));
  await sleep(1500);
  expect(await ask()).toMatchObject({ status: 200 });
  await start('wait', 'held-2');
  await vi.waitFor(async () => expect(await ask()).toMatchObject({ status: 503, activities: 2 }), { timeout: 10_000 });
  expect((await ask()).problem).toMatch(
    /^activities have held all slots of the queue held for \d+ s with neither heartbeat nor completion$/,
  );
  end.open();
  await vi.waitFor(async () => expect(await ask()).toMatchObject({ status: 200 }));
});

test('heartbeats of activities that hold all slots keep it at 200, but not those of work that ignores its cancellation', async () => {
  const [end, cancelled] = [gate(), gate()];
  const wait = () => {
    Context.current().cancellationSignal.addEventListener('abort', cancelled.open);
    return withHeartbeat(0, () => end.opened);
  };
  const { ask, start } = await startWorker('beating', { wait }, { blockedSeconds: 30, stuckSeconds: 3 });
  onTestFinished(end.open);
  const handles = [await start('wait', 'beating-1'), await start('wait', 'beating-2')];
  await vi.waitFor(async () => expect((await ask()).activities).toBe(2));
  await sleep(5000);
  expect(await ask()).toMatchObject({ status: 200, activities: 2 });
  for (const handle of handles) await handle.cancel('test');
  await cancelled.opened;
  await vi.waitFor(async () => expect(await ask()).toMatchObject({ status: 503 }), { timeout: 10_000 });
});

test('steps that compute in processes of their own keep it at 200, and free their slots when they are canceled', async () => {
  const processes = openStepProcesses({ entry: new URL('../activities/stuck-process.ts', import.meta.url) });
  onTestFinished(() => processes.close());
  const activities = createCpuActivities({ ...dependencies, processes });
  const { ask, start } = await startWorker('computing', activities, { blockedSeconds: 2, stuckSeconds: 3 });
  const reference = { runDirectory: join(await temporaryFolder(), 'run'), round: 0 };
  const handles = [
    await start('prepareData', 'computing-1', reference),
    await start('prepareData', 'computing-2', reference),
  ];
  await vi.waitFor(async () => expect((await ask()).activities).toBe(2));
  const until = performance.now() + 6000;
  while (performance.now() < until) {
    expect(await ask()).toMatchObject({ status: 200, activities: 2 });
    await sleep(500);
  }
  for (const handle of handles) await handle.cancel('test');
  await vi.waitFor(async () => expect(await ask()).toMatchObject({ status: 200, activities: 0 }), { timeout: 10_000 });
});

test('only a request that a probe may send is answered', async () => {
  const { address } = await startWorker('hosts', { wait: async () => undefined });
  const statusFor = (host: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      get(address, { headers: { host } }, (response) => resolve(response.resume().statusCode)).once('error', reject);
    });
  // Kubelet's, a container's in a network, and this machine's.
  for (const host of ['10.1.2.3:8080', '[fd00::5]:8080', 'cpu-worker:8080', 'localhost', '127.0.0.1']) {
    expect(await statusFor(host), host).toBe(200);
  }
  for (const host of ['rebound.example', 'rebound.example:8080', '127.0.0.1.rebound.example', '10.1.2.3.nip.io:80']) {
    expect(await statusFor(host), host).toBe(403);
  }
});

test('503 while reads that never return hold all threads for files', async () => {
  const { ask } = await startWorker('files', { wait: async () => undefined });
  const pipe = join(await temporaryFolder(), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const opened = Array.from({ length: Number(process.env.UV_THREADPOOL_SIZE ?? 4) }, () => open(pipe, 'r'));
  await vi.waitFor(
    async () => expect(await ask()).toMatchObject({ status: 503, problem: expect.stringMatching(/^no file could be/) }),
    { timeout: 10_000 },
  );
  // A writer lets all of them go.
  const writer = new Thread(`require('node:fs').openSync(${JSON.stringify(pipe)}, 'w')`, { eval: true });
  await Promise.all((await Promise.all(opened)).map((handle) => handle.close()));
  await writer.terminate();
  await vi.waitFor(async () => expect(await ask()).toMatchObject({ status: 200 }));
});
