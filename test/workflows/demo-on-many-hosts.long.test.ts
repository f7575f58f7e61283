/**
 * A small demo over two hosts that share no disk, its evaluation and its images in parts, and the same demo as the
 * command runs it on one host, in one piece.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { compareRuns } from '../../bench/chaos/compare.ts';
import {
  type ConnectedHosts,
  connectHosts,
  copyProjectTo,
  partsDoneBy,
  withTsx,
} from '../../bench/support/connected-hosts.ts';
import type { Host } from '../../bench/support/hosts.ts';
import { runningWith } from '../../bench/support/processes.ts';
import { bucket, s3Server } from '../../bench/support/s3-server.ts';
import { projectFile } from '../../src/core/files.ts';
import { pullRun } from '../../src/core/remote/stored-run.ts';
import { storeRules } from '../../src/round/store-rules.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';

/** Where each host has the config of a small demo. */
const smallDemo = 'bench/support/small-demo.yaml';
const run = 'demo-small-seed1';

let folder: string;
let connected: ConnectedHosts;

beforeAll(async () => {
  if (s3Server === undefined) return;
  folder = await mkdtemp(join(tmpdir(), 'dataengine-demo-hosts-'));
  connected = await connectHosts(folder, ['host-a', 'host-b', 'host-alone']);
  await Promise.all(
    connected.hosts.map(async (host) => {
      await copyProjectTo(host);
      await mkdir(join(host.disk, dirname(smallDemo)), { recursive: true });
      await copyFile(projectFile(smallDemo), join(host.disk, smallDemo));
    }),
  );
});

afterAll(async () => {
  if (s3Server === undefined) return;
  await connected?.close();
  await rm(folder, { recursive: true, force: true });
});

async function runOnOne(host: Host) {
  const demo = await host.start({
    name: 'demo',
    arguments: [...withTsx, projectFile('cli/main.ts'), 'demo', '--config', smallDemo],
    environment: {},
  });
  expect(await demo.ended, `see ${demo.logFile}`).toBe('exited with code 0');
  const directory = join(host.disk, 'runs', run);
  const result: DataEngineResult = JSON.parse(await readFile(join(directory, 'finished.json'), 'utf8'));
  return { directory, result };
}

/** CPU steps on the first, GPU steps on both. */
async function runOnTwo([first, second]: [Host, Host]) {
  const taskQueues = { cpu: 'demo-cpu', gpu: 'demo-gpu' };
  const config = {
    extends: smallDemo,
    store: `s3://${bucket}/demo`,
    evaluate: { shards: 4 },
    sampling: { embeddingShards: 4 },
    temporal: { taskQueues },
  };
  await writeFile(join(first.disk, 'run.yaml'), stringify(config));
  const workers = [
    await connected.startWorker(first, 'cpu', { queue: taskQueues.cpu }),
    await connected.startWorker(first, 'gpu', { queue: taskQueues.gpu }),
    await connected.startWorker(second, 'gpu', { queue: taskQueues.gpu }),
  ];
  const result: DataEngineResult = await connected.client.workflow.execute('dataEngine', {
    taskQueue: taskQueues.cpu,
    workflowId: 'demo-on-two-hosts',
    args: [{ config: 'run.yaml', run }],
  });
  await Promise.all(workers.map((worker) => worker.stop()));
  const places = { runsDirectory: join(folder, 'pulled'), cacheDirectory: join(folder, 'pulled-cache') };
  const signal = new AbortController().signal;
  const directory = await pullRun(result.directory, { rules: storeRules, signal, weights: true }, places);
  return { directory, result, gpuWorkers: workers.slice(1) };
}

test.skipIf(s3Server === undefined)(
  'a small demo over two hosts ends with the dataset, adapters, predictions and scores of one host',
  async () => {
    const [a, b, alone] = connected.hosts as [Host, Host, Host];
    const wanted = await runOnOne(alone);
    const found = await runOnTwo([a, b]);

    expect(await compareRuns(wanted, found)).toEqual({ sameDataset: true, scores: 0, losses: 0, adapter: 0 });
    const versions = ({ result }: typeof wanted) => result.rounds.map(({ datasetVersion }) => datasetVersion);
    expect(versions(found)).toEqual([undefined, expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect(versions(found)).toEqual(versions(wanted));
    // In four parts as in one: the same questions, losses, predictions and scores.
    for (const set of ['round-0/evaluate', 'round-0/evaluate/test', 'round-1/evaluate', 'round-1/evaluate/test']) {
      for (const name of ['question-scores.jsonl', 'predictions.jsonl', 'scores.json']) {
        const file = join(set, name);
        expect(await readFile(join(found.directory, file), 'utf8'), file).toBe(
          await readFile(join(wanted.directory, file), 'utf8'),
        );
      }
    }
    for (const [round, activity, parts] of [
      ['round-0', 'evaluateShard', 8],
      ['round-1', 'evaluateShard', 8],
      ['round-1', 'embedShard', 4],
    ] as const) {
      const done = await partsDoneBy(found.gpuWorkers, connected, `demo-on-two-hosts/${round}`, activity);
      expect(Math.min(...done), `${round} ${activity}`).toBeGreaterThan(0);
      expect(done.reduce((sum, count) => sum + count)).toBe(parts);
    }
    expect(await runningWith(join(folder, 'host-'))).toEqual([]);
  },
  600_000,
);
