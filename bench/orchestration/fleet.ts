/**
 * One evaluation of many shards on many simulated GPU workers.
 */
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { connectClient } from '../../cli/temporal-client.ts';
import { type OwnedProcess, startOwned } from '../../demo/command/child-process.ts';
import { startTemporalServer } from '../../demo/command/temporal-server.ts';
import type { RunPlan } from '../../workflows/inputs.ts';
import { examineHistories, type ShardTimes, shardTimes } from '../support/histories.ts';
import { firstMatch, memoryOfGroup, processorTimeOfGroups } from '../support/process-figures.ts';
import { shardMilliseconds } from './simulated-gpu.ts';

export interface FleetFigures {
  /** From the first shard scheduled to the last one done. */
  seconds: number;
  shardsPerSecond: number;
  /** Ideal time over `seconds`: the shards' own time, spread evenly over the workers. */
  efficiency: number;
  /** How long each worker waited for its next shard, in milliseconds. */
  idle: number[];
  /** Of the shards that found a worker free, in milliseconds. */
  scheduleToStart: number[];
  events: number;
  historyKiB: number;
  largestPayload: number;
  /** Most memory held, in MiB. */
  serverMiB: number;
  workflowWorkerMiB: number;
  /** Processor time of the server while the workflow ran, in seconds. */
  serverSeconds: number;
}

const workersInProcess = 25;
const workflowId = 'fleet';

/** @param input.milliseconds of a shard, on average */
export async function measureFleet(
  input: { workers: number; shards: number; milliseconds: number },
  folder: string,
): Promise<FleetFigures> {
  const { workers, shards, milliseconds } = input;
  const owned: OwnedProcess[] = [];
  let client: Client | undefined;
  try {
    const server = await startTemporalServer(folder);
    owned.push(server.process);
    const start = async (...words: string[]): Promise<OwnedProcess> => {
      const logFile = join(folder, `worker-${owned.length}.log`);
      const worker = await startOwned({
        name: `${words[0]} workers`,
        program: process.execPath,
        arguments: ['--import', 'tsx', join(import.meta.dirname, 'fleet-worker.ts'), ...words],
        logFile,
        environment: { TEMPORAL_ADDRESS: server.address },
      });
      owned.push(worker);
      await firstMatch(logFile, /(READY)/);
      return worker;
    };
    const cpu = await start('cpu', JSON.stringify(planOf(shards)));
    for (let left = workers; left > 0; left -= workersInProcess) {
      await start('gpu', String(Math.min(left, workersInProcess)), String(milliseconds));
    }
    client = await connectClient(server.address);
    const processorTime = async () => (await processorTimeOfGroups()).get(server.process.pid) ?? 0;
    const before = await processorTime();
    const handle = await client.workflow.start('dataEngine', {
      taskQueue: 'fleet-cpu',
      workflowId,
      args: [{ config: 'fleet.yaml' }],
    });
    await handle.result();
    const serverSeconds = (await processorTime()) - before;
    const round = client.workflow.getHandle(`${workflowId}/round-0`);
    const times = shardTimes(await round.fetchHistory(), 'evaluateShard');
    const seconds =
      (Math.max(...times.map(({ done }) => done)) - Math.min(...times.map(({ scheduled }) => scheduled))) / 1000;
    const own = times.reduce((sum, _, shard) => sum + shardMilliseconds(shard, milliseconds), 0);
    return {
      seconds,
      shardsPerSecond: times.length / seconds,
      efficiency: own / 1000 / workers / seconds,
      idle: idleTimes(times),
      scheduleToStart: firstTurn(times, workers),
      ...(await examineHistories(client, `${workflowId}/round-0`)),
      historyKiB: ((await round.describe()).historySize ?? 0) / 1024,
      serverMiB: (await memoryOfGroup(server.process.pid)).peak,
      workflowWorkerMiB: (await memoryOfGroup(cpu.pid)).peak,
      serverSeconds,
    };
  } finally {
    await client?.connection.close();
    for (const process of owned.reverse()) await process.stop(5);
  }
}

function planOf(evaluationShards: number): RunPlan {
  return {
    ...{ run: 'fleet', directory: '/fleet', configHash: 'fleet', rounds: 0, roundsPerExecution: 1 },
    ...{ evaluationShards, hasTest: false, evaluationSets: ['validation'] },
    queues: { cpu: 'fleet-cpu', gpu: 'fleet-gpu', teacher: 'fleet-teacher' },
    finetuneTimeoutMinutes: 5,
  };
}

/** Between the end of a worker's shard and the start of its next. */
function idleTimes(times: readonly ShardTimes[]): number[] {
  const free = new Map<string, number>();
  const idle: number[] = [];
  for (const { worker, started, done } of [...times].sort((a, b) => a.started - b.started)) {
    const since = free.get(worker);
    if (since !== undefined) idle.push(started - since);
    free.set(worker, done);
  }
  return idle;
}

/** Of the first shards, one a worker: nobody was before them. */
function firstTurn(times: readonly ShardTimes[], workers: number): number[] {
  return [...times]
    .sort((a, b) => a.started - b.started)
    .slice(0, workers)
    .map(({ scheduled, started }) => started - scheduled);
}
