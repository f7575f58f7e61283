/** What Temporal's own UI shows of a run, in a real browser: its current details as tables, and how it ended. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { connectClient } from '../../cli/temporal-client.ts';
import { startTemporalServer, type TemporalServer } from '../../demo/command/temporal-server.ts';
import { launchBrowser } from '../../scripts/browser.ts';
import { registerSearchAttributes } from '../../workers/search-attributes.ts';
import { workflowsPath } from '../../workers/worker-flags.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';

let folder: string;
let server: TemporalServer;
let connection: NativeConnection;
let browser: Browser;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'temporal-ui-'));
  server = await startTemporalServer(folder);
  connection = await NativeConnection.connect({ address: server.address });
  await registerSearchAttributes(connection, 'default');
  browser = await launchBrowser();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await connection?.close();
  await server?.process.stop(5);
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** A worker on a queue of its own, with activities that do nothing. */
async function workerOn(queue: string, changes: Partial<ReturnType<typeof fakeActivities>> = {}): Promise<Worker> {
  const plan = planOn(queue, { searchAttributes: true });
  return Worker.create({
    connection,
    namespace: 'default',
    taskQueue: queue,
    workflowsPath,
    activities: { ...fakeActivities(plan, []), ...changes },
  });
}

async function started(queue: string) {
  const client = await connectClient(server.address);
  onTestFinished(() => client.connection.close());
  const args: [object] = [{ config: 'tiny.yaml' }];
  const handle = await client.workflow.start('dataEngine', { taskQueue: queue, workflowId: queue, args });
  return Object.assign(handle, { workflows: client.workflow });
}

type Handle = Awaited<ReturnType<typeof started>>;

const stateOf = async (handle: Handle) => (await handle.describe()).searchAttributes.DataEngineState;

test('the details of run and round are tables, which are not cut, with gaps between their columns', async () => {
  const worker = await workerOn('shown');
  await worker.runUntil(async () => {
    const handle = await started('shown');
    await handle.result();
    for (const [id, cells] of [
      ['shown', ['round', 'MC %']],
      ['shown/round-1', ['step', 'finetune', 'done']],
    ] as const) {
      const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
      const { runId } = await handle.workflows.getHandle(id).describe();
      await page.goto(`${server.ui}/namespaces/default/workflows/${encodeURIComponent(id)}/${runId}/user-metadata`);
      const frame = page.frameLocator('iframe[src*="%7C"], iframe[srcdoc*="<table"]').first();
      await frame.locator('table').waitFor({ timeout: 150_000 });
      const texts = (await frame.locator('th, td').allTextContents()).map((text) => text.trim());
      for (const cell of cells) expect(texts, id).toContain(cell);
      const table = await frame.locator('table').boundingBox();
      const around = await page.locator('iframe[src*="%7C"]').first().boundingBox();
      expect((table?.x ?? 0) + (table?.width ?? 0), id).toBeLessThanOrEqual((around?.x ?? 0) + (around?.width ?? 0));
      // The UI's cells have no padding: the texts bring it themselves.
      for (const raw of await frame.locator('td').allTextContents())
        if (raw.trim() !== '') expect(raw).toMatch(/\u00a0$/);
      await page.close();
    }
  });
}, 400_000);

test('a run that has ended is not running: completed, failed or canceled', async () => {
  const completed = await workerOn('completed');
  await completed.runUntil(async () => {
    const handle = await started('completed');
    await handle.result();
    expect(await stateOf(handle)).toEqual(['completed']);
  });

  const merge = () => Promise.reject(ApplicationFailure.nonRetryable('no such model', 'InputError'));
  const failed = await workerOn('failed', { merge });
  await failed.runUntil(async () => {
    const handle = await started('failed');
    await expect(handle.result()).rejects.toThrow();
    expect(await stateOf(handle)).toEqual(['failed']);
  });

  let isAtMerge = false;
  const canceled = await workerOn('canceled', {
    merge: async () => {
      isAtMerge = true;
      throw ApplicationFailure.retryable('not yet');
    },
  });
  await canceled.runUntil(async () => {
    const handle = await started('canceled');
    await until(() => isAtMerge);
    expect(await stateOf(handle)).toEqual(['running']);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    expect(await stateOf(handle)).toEqual(['canceled']);
  });
}, 180_000);
