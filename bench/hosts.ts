/**
 * How evaluation and embedding speed up with the number of GPU workers. One run with one worker against one with several, in
 * turns: each worker on its own host (network namespace and disk, where that is allowed; else a folder), confined to one
 * processor, so that each adds the same; Temporal and SeaweedFS between them; the demo's model.
 *
 * A step is timed from its first shard scheduled to its shards joined. What the speed-up lacks is split: shards that take
 * longer when all processors are busy, and workers that wait, at the end of the step and for the join.
 * The bench fails if the scores differ.
 *
 * `npm run bench:hosts -- [--workers 2] [--shards 8] [--turns 3] [--questions 2000] [--images 3000]`
 */

import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { writeSceneDataset } from '../demo/scenes/write-dataset.ts';
import { mean } from '../src/evaluation/statistics/student-t.ts';
import type { DataEngineResult } from '../workflows/messages.ts';
import { type ConnectedHosts, connectHosts, copyProjectTo } from './support/connected-hosts.ts';
import { type ShardTimes, shardTimes } from './support/histories.ts';
import type { Host } from './support/hosts.ts';
import { bucket } from './support/s3-server.ts';
import { median } from './support/statistics.ts';

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '2' },
    shards: { type: 'string', default: '8' },
    turns: { type: 'string', default: '3' },
    questions: { type: 'string', default: '2000' },
    images: { type: 'string', default: '3000' },
  },
});
const [workers, shards, turns, questions, images] = (
  ['workers', 'shards', 'turns', 'questions', 'images'] as const
).map((name) => Number(values[name])) as [number, number, number, number, number];
const scenes = {
  seed: 1,
  trainImages: images,
  // Two and a half questions each.
  validationImages: Math.ceil(questions / 2.4),
  testImages: 1,
};
const say = (line: string) => process.stderr.write(`${line}\n`);

interface StepFigures {
  /** From the first shard scheduled to the shards joined. */
  seconds: number;
  /** Of a shard, on average. */
  shardSeconds: number;
  /** Share of the time in which the workers ran shards. */
  busy: number;
}
type RunFigures = Record<'evaluation' | 'embedding', StepFigures> & { score: number };

const drawn = '.cache/bench/hosts-scenes';
await writeSceneDataset({ root: drawn, ...scenes });
const folder = await mkdtemp(join(tmpdir(), 'bench-hosts-'));
const names = Array.from({ length: workers }, (_, index) => `host-${index + 1}`);
const one: RunFigures[] = [];
const several: RunFigures[] = [];
let connected: ConnectedHosts | undefined;
try {
  connected = await connectHosts(folder, names);
  for (const host of connected.hosts) {
    await copyProjectTo(host);
    await cp(drawn, join(host.disk, 'scenes'), { recursive: true });
  }
  await measure(connected, workers, 'warm-up');
  for (let turn = 1; turn <= turns; turn += 1) {
    one.push(await measure(connected, 1, `one-${turn}`));
    several.push(await measure(connected, workers, `several-${turn}`));
  }
} finally {
  await connected?.close();
  await rm(folder, { recursive: true, force: true });
}
const scores = new Set([...one, ...several].map(({ score }) => score));
if (scores.size !== 1) throw new Error(`the scores differ: ${[...scores].join(', ')}`);

process.stdout.write(
  `${JSON.stringify({
    bench: 'hosts',
    ...{ workers, shards, questions, images },
    evaluation: compare('evaluation'),
    embedding: compare('embedding'),
  })}\n`,
);

/** One run: round 0 evaluates; round 1 embeds. */
async function measure(
  { hosts, client, startWorker }: ConnectedHosts,
  count: number,
  run: string,
): Promise<RunFigures> {
  const [first] = hosts as [Host];
  const queues = { cpu: `cpu-${run}`, gpu: `gpu-${run}` };
  await writeFile(join(first.disk, `${run}.yaml`), stringify(configOf(run, queues)));
  const started = [await startWorker(first, 'cpu', { queue: queues.cpu, called: `cpu-${run}` })];
  for (const [processor, host] of hosts.slice(0, count).entries()) {
    // Otherwise a worker would reuse the features that it computed in the evaluation, and several workers each have some.
    const environment = { DATAENGINE_IMAGE_CACHE: 'off' };
    started.push(await startWorker(host, 'gpu', { queue: queues.gpu, called: `gpu-${run}`, processor, environment }));
  }
  try {
    const task = { taskQueue: queues.cpu, workflowId: run, args: [{ config: `${run}.yaml`, run }] };
    const { rounds }: DataEngineResult = await client.workflow.execute('dataEngine', task);
    const historyOf = (round: number) => client.workflow.getHandle(`${run}/round-${round}`).fetchHistory();
    const [evaluated, embedded] = [await historyOf(0), await historyOf(1)];
    const figures = {
      score: rounds[0]?.multipleChoice ?? Number.NaN,
      evaluation: figuresOf(shardTimes(evaluated, 'evaluateShard'), shardTimes(evaluated, 'evaluate'), count),
      embedding: figuresOf(shardTimes(embedded, 'embedShard'), shardTimes(embedded, 'embed'), count),
    };
    for (const step of ['evaluation', 'embedding'] as const) {
      const { seconds, shardSeconds, busy } = figures[step];
      say(
        `${run.padEnd(10)} ${step.padEnd(10)} ${seconds.toFixed(1).padStart(6)} s, ` +
          `${shardSeconds.toFixed(2)} s a shard, workers at shards ${(100 * busy).toFixed(0)} % of the time`,
      );
    }
    return figures;
  } finally {
    await Promise.all(started.map((worker) => worker.stop()));
  }
}

function figuresOf(done: ShardTimes[], [joined]: ShardTimes[], count: number): StepFigures {
  if (done.length !== shards || joined === undefined) throw new Error(`${done.length} of ${shards} shards were done`);
  const milliseconds = joined.done - Math.min(...done.map(({ scheduled }) => scheduled));
  const own = done.map((part) => part.done - part.started);
  return {
    seconds: milliseconds / 1000,
    shardSeconds: mean(own) / 1000,
    busy: (mean(own) * shards) / (count * milliseconds),
  };
}

function configOf(run: string, taskQueues: { cpu: string; gpu: string }) {
  return {
    rounds: 1,
    runsDirectory: 'runs',
    cacheDirectory: `cache-${run}`,
    store: `s3://${bucket}/bench`,
    model: { path: 'data/stage1' },
    data: {
      root: 'scenes',
      scenes,
      train: [{ dataset: 'aokvqa' }],
      validation: { file: 'A-OKVQA/aokvqa_v1p0_val_classified.json', limit: questions },
      images: { train: 'COCO2017/train2017', validation: 'COCO2017/val2017' },
    },
    finetune: { epochs: 1, stepsPerEpoch: 1, batchSize: 1, maximumTokens: 96, learningRate: { warmupSteps: 0 } },
    evaluate: { shards: shards, batchSize: 32 },
    sampling: { requests: 1, embeddingShards: shards },
    refine: { evaluationSimilarity: 'off' },
    gate: { policy: 'always' },
    // No answer is accepted, so that the run ends after what is measured.
    teacher: { provider: 'local', mistakeRate: 1 },
    temporal: { taskQueues },
  };
}

/** Medians over the turns; the speed-up is that of each turn's two runs. */
function compare(step: 'evaluation' | 'embedding') {
  const [alone, together] = [one, several].map((runs) => runs.map((run) => run[step])) as [
    StepFigures[],
    StepFigures[],
  ];
  const ratio = (key: keyof StepFigures) =>
    median(alone.map((figures, turn) => figures[key] / (together[turn] as StepFigures)[key]));
  const both = (key: keyof StepFigures) =>
    [alone, together].map((runs) => rounded(median(runs.map((figures) => figures[key]))));
  return {
    speedup: rounded(ratio('seconds')),
    seconds: both('seconds'),
    /** How much longer a shard takes when all workers are busy. */
    slowdown: rounded(1 / ratio('shardSeconds')),
    busy: both('busy'),
  };
}

function rounded(value: number): number {
  return Number(value.toFixed(2));
}
