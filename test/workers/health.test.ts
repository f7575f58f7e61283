/**
 * `/healthz` of real workers, as a probe sees it, with limits of a second in place of minutes.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker as Thread } from 'node:worker_threads';
import { Context } from '@temporalio/activity';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { withHeartbeat } from '../../activities/heartbeat.ts';
import { countActivities } from '../../activities/signs-of-life.ts';
import { serveHealth } from '../../workers/health.ts';
import { gate } from '../helpers/gate.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { startEnvironment, type WorkflowTestEnvironment } from '../workflows/environment.ts';

const limits = { blockedSeconds: 1, stuckSeconds: 1 };
let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 60_000);
afterAll(() => environment.temporal.teardown());

/** Runs a worker with two slots and these activities, and its health. */
async function startWorker(
  taskQueue: string,
  activities: Record<string, () => Promise<void>>,
  shutdownForceTime = 100,
) {
  const worker = await Worker.create({
    connection: environment.temporal.nativeConnection,
    taskQueue,
    activities,
    maxConcurrentActivityTaskExecutions: 2,
    interceptors: { activity: [countActivities] },
    shutdownForceTime,
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
  const start = (activity: string, id: string) =>
    environment.temporal.client.activity.start(activity, {
      ...{
        id,
        taskQueue,
        heartbeatTimeout: '1 minute',
        startToCloseTimeout: '2 minutes',
        retry: { maximumAttempts: 1 },
      },
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

test('heartbeats keep it at 200, but not those of work that ignores its cancellation', async () => {
  const [end, cancelled] = [gate(), gate()];
  const { ask, start } = await startWorker('beating', {
    wait: () => {
      Context.current().cancellationSignal.addEventListener('abort', cancelled.open);
      return withHeartbeat(0, () => end.opened);
    },
  });
  onTestFinished(end.open);
  const handles = [await start('wait', 'beating-1'), await start('wait', 'beating-2')];
  await vi.waitFor(async () => expect((await ask()).activities).toBe(2));
  // Heartbeats come once a second, so the limit of a second is met only just: two in a row are enough.
  for (const handle of handles) await handle.cancel('test');
  await cancelled.opened;
  await vi.waitFor(async () => expect(await ask()).toMatchObject({ status: 503 }), { timeout: 10_000 });
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
