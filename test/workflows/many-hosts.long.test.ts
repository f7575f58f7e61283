/**
 * One run over two hosts that share no disk: a CPU worker on one, GPU workers on both, the Temporal server and a store on
 * S3 between them; the real trainer, on a tiny model. One GPU worker joins late and is killed, and the store is restarted.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { compareRuns, leftovers } from '../../bench/chaos/compare.ts';
import { type ConnectedHosts, connectHosts, partsDoneBy } from '../../bench/support/connected-hosts.ts';
import type { Host } from '../../bench/support/hosts.ts';
import { runningWith } from '../../bench/support/processes.ts';
import { bucket, s3Server } from '../../bench/support/s3-server.ts';
import type { OwnedProcess } from '../../demo/command/child-process.ts';
import { projectFile } from '../../src/core/files.ts';
import { readManifest } from '../../src/core/manifest.ts';
import { runUri } from '../../src/core/remote/store-uri.ts';
import { openStore, pullRun } from '../../src/core/remote/stored-run.ts';
import { storeRules } from '../../src/round/store-rules.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { writeTinyModel } from '../helpers/tiny-model.ts';

const shards = 6;
const store = `s3://${bucket}/fleet`;
const parts = (round: number) => `round-${round}/evaluate-shards`;

let folder: string;
let connected: ConnectedHosts;

beforeAll(async () => {
  if (s3Server === undefined) return;
  folder = await mkdtemp(join(tmpdir(), 'dataengine-hosts-'));
  connected = await connectHosts(folder, ['host-a', 'host-b', 'host-alone']);
});

afterAll(async () => {
  if (s3Server === undefined) return;
  await connected?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Every path is relative: each host has its own. Images are drawn on each, the model is copied to each. */
async function writeHost({ disk, name }: Host, changes: object): Promise<void> {
  await writeTinyModel(join(disk, 'model'), { hidden: 256 });
  const config = {
    seed: 7,
    rounds: 1,
    runsDirectory: 'runs',
    cacheDirectory: 'cache',
    model: { path: 'model' },
    data: {
      root: 'data',
      scenes: { seed: 3, trainImages: 120, validationImages: 200, testImages: 40 },
      train: [{ dataset: 'aokvqa' }],
      validation: { file: 'A-OKVQA/aokvqa_v1p0_val_classified.json' },
      images: { train: 'COCO2017/train2017', validation: 'COCO2017/val2017' },
      questionTypes: projectFile('configs/question-types.yaml'),
    },
    finetune: { epochs: 1, stepsPerEpoch: 20, batchSize: 4, checkpointEverySteps: 5, learningRate: { warmupSteps: 2 } },
    evaluate: { shards, batchSize: 1 },
    sampling: { requests: 20, nearestImages: 20 },
    refine: { evaluationSimilarity: 'off' },
    gate: { policy: 'always' },
    teacher: {
      provider: 'local',
      prompt: projectFile('configs/prompts/generate-v1.md'),
      prices: projectFile('configs/prices.yaml'),
    },
    verify: {
      blindPrompt: projectFile('configs/prompts/verify-v1.md'),
      languageOnlyPrompt: projectFile('configs/prompts/verify-without-picture-v1.md'),
    },
    temporal: {
      stallTimeoutSeconds: 300,
      finetuneTimeoutMinutes: 10,
      taskQueues: { cpu: `cpu-${name}`, gpu: `gpu-${name}` },
    },
    ...changes,
  };
  await writeFile(join(disk, 'run.yaml'), stringify(config));
}

function startWorker(host: Host, kind: 'cpu' | 'gpu', queue: string, called: string = kind): Promise<OwnedProcess> {
  // What is to be interrupted must take a while.
  const slow =
    kind === 'gpu' && host.name !== 'host-alone' ? projectFile('test/trainer/supervisor/slow-trainer.ts') : undefined;
  return connected.startWorker(host, kind, { queue, called, ...(slow && { trainerEntry: slow }) });
}

function startRun(host: Host) {
  return connected.client.workflow.start('dataEngine', {
    taskQueue: `cpu-${host.name}`,
    workflowId: `run-on-${host.name}`,
    args: [{ config: 'run.yaml', run: 'fleet' }],
  });
}

async function until<R>(what: string, look: () => Promise<R | undefined>): Promise<R> {
  const deadline = performance.now() + 240_000;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    connected.requireWorkers();
    if (performance.now() > deadline) throw new Error(`${what}: did not come about`);
    await sleep(50);
  }
}

/** The part of the evaluation whose trainer runs on a host, once batches that it finished are in the store. */
async function partUnderWay({ disk }: Host, round: number): Promise<string | undefined> {
  const here = join(disk, 'runs', 'fleet', parts(round));
  for (const part of await readdir(here)) {
    if (!(await readdir(join(here, part))).includes('trainer.pid.json')) continue;
    const record = await openStore(store).read(`runs/fleet/${parts(round)}/${part}/folder.json`);
    const { state, files } = JSON.parse(record?.body.toString() ?? '{}') as {
      state: string;
      files: Record<string, { size: number }>;
    };
    const found = files[`${parts(round)}/${part}/losses.part.jsonl`]?.size ?? 0;
    if (state === 'started' && found > 500) return part;
  }
  return undefined;
}

test.skipIf(s3Server === undefined)(
  'two hosts with a disk each make the same data, adapters and scores as one',
  async () => {
    const [a, b, alone] = connected.hosts as [Host, Host, Host];
    const inParts = { store, sampling: { requests: 20, nearestImages: 20, embeddingShards: 3 } };
    await Promise.all([writeHost(a, inParts), writeHost(b, inParts), writeHost(alone, {})]);
    // Nothing of the config's folder on the other host is needed.
    await rm(join(b.disk, 'run.yaml'));

    const [aloneCpu, aloneGpu] = [
      await startWorker(alone, 'cpu', 'cpu-host-alone'),
      await startWorker(alone, 'gpu', 'gpu-host-alone'),
    ];
    const wanted = (await (await startRun(alone)).result()) as DataEngineResult;
    await Promise.all([aloneCpu.stop(), aloneGpu.stop()]);

    const workers = [await startWorker(a, 'cpu', 'cpu-host-a'), await startWorker(a, 'gpu', 'gpu-host-a')];
    const handle = await startRun(a);
    const result = handle.result() as Promise<DataEngineResult>;
    result.catch(() => undefined);

    // The other host joins when the first parts of round 0 are being scored.
    await until('an evaluation on host a', () => partUnderWay(a, 0));
    const late = await startWorker(b, 'gpu', 'gpu-host-a');
    const broken = await until('an evaluation on host b', () => partUnderWay(b, 0));
    process.kill(late.pid, 'SIGKILL');
    await late.ended;
    workers.push(await startWorker(b, 'gpu', 'gpu-host-a', 'gpu-again'));
    // The store is away for a while, too.
    await connected.store.kill();
    await connected.store.start();

    const found = await result;
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(found.directory).toBe(runUri(store, 'fleet'));

    const signal = new AbortController().signal;
    const places = { runsDirectory: join(folder, 'pulled'), cacheDirectory: join(folder, 'pulled-cache') };
    const pulled = await pullRun(found.directory, { rules: storeRules, signal, weights: true }, places);
    const likeness = await compareRuns(
      { directory: wanted.directory, result: wanted },
      { directory: pulled, result: found },
    );
    expect(likeness).toEqual({ sameDataset: true, scores: 0, losses: 0, adapter: 0 });
    expect(found.rounds.map(({ datasetVersion }) => datasetVersion)).toEqual(
      wanted.rounds.map(({ datasetVersion }) => datasetVersion),
    );
    expect(await leftovers(pulled)).toEqual([]);
    expect(await readFile(join(pulled, 'report.html'), 'utf8')).toContain('</html>');
    const published = (await openStore(store).read('runs/fleet/report.html'))?.body.toString();
    expect(published).toBe(await readFile(join(pulled, 'report.html'), 'utf8'));

    // What the killed worker had finished of its part was not done again, and each host scored some part of round 1.
    const manifest = await readManifest(join(pulled, parts(0), broken));
    expect(manifest?.metrics.alreadyAnswered).toBeGreaterThan(0);
    const gpuWorkers = workers.slice(1);
    const done = await partsDoneBy(gpuWorkers, connected, 'run-on-host-a/round-1', 'evaluateShard');
    expect(Math.min(...done)).toBeGreaterThan(0);
    expect(await runningWith(join(folder, 'host-'))).toEqual([]);
  },
  600_000,
);
