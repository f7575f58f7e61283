/**
 * The share of a run's time in which no step of the library ran.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Client } from '@temporalio/client';
import { stringify } from 'yaml';
import { z } from 'zod';
import { connectClient } from '../../cli/temporal-client.ts';
import { startOwned } from '../../demo/command/child-process.ts';
import { startTemporalServer } from '../../demo/command/temporal-server.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { firstMatch, processorTimeOfGroups } from '../support/process-figures.ts';

export interface RunShare {
  seconds: number;
  /** Of them, those in which no step ran. */
  orchestration: number;
  rounds: number;
  /** Calls of the library. */
  steps: number;
  /** Processor time of the Temporal server, in seconds. */
  server: number;
}

const launcher = join(import.meta.dirname, '../../cli/main.ts');

/** Runs the loop of a config with workers and a server of its own; its runs are in the folder. */
export async function measureRun(configFile: string, folder: string): Promise<RunShare> {
  const owned: { stop(seconds?: number): Promise<void> }[] = [];
  let client: Client | undefined;
  try {
    const server = await startTemporalServer(folder);
    owned.push(server.process);
    const config = join(folder, 'config.yaml');
    await writeFile(config, stringify({ extends: resolve(configFile), runsDirectory: join(folder, 'runs') }));
    const logs = ['cpu', 'gpu'].map((kind) => join(folder, `${kind}.log`));
    for (const [index, kind] of ['cpu', 'gpu'].entries()) {
      owned.push(
        await startOwned({
          name: `${kind} worker`,
          program: process.execPath,
          arguments: ['--import', 'tsx', launcher, 'worker', kind, '--log-format', 'json'],
          logFile: logs[index] as string,
          environment: { TEMPORAL_ADDRESS: server.address, DATAENGINE_EXIT_WITH_PARENT: '1' },
        }),
      );
      await firstMatch(logs[index] as string, /(RUNNING)/);
    }
    client = await connectClient(server.address);
    const handle = await client.workflow.start('dataEngine', {
      taskQueue: 'data-engine',
      workflowId: 'measured',
      args: [{ config, run: 'measured' }],
    });
    const { rounds } = (await handle.result()) as DataEngineResult;
    const { startTime, closeTime } = await handle.describe();
    const from = startTime.getTime();
    const until = closeTime?.getTime() ?? Date.now();
    const spans = (await Promise.all(logs.map((log) => readFile(log, 'utf8')))).flatMap(spansOf);
    return {
      seconds: (until - from) / 1000,
      orchestration: (until - from - covered(spans)) / 1000,
      rounds: rounds.length,
      steps: spans.length,
      server: (await processorTimeOfGroups()).get(server.process.pid) ?? 0,
    };
  } finally {
    await client?.connection.close();
    for (const process of owned.reverse()) await process.stop(10);
  }
}

type Span = [from: number, until: number];

const lineSchema = z.object({
  message: z.enum(['step starts', 'step done']),
  time: z.iso.datetime(),
  workflowId: z.string(),
  activityId: z.string(),
});

/** When each step of the library ran, in milliseconds, by a worker's log. */
function spansOf(log: string): Span[] {
  const started = new Map<string, number>();
  const spans: Span[] = [];
  for (const line of log.split('\n').filter((text) => text.startsWith('{'))) {
    const { data } = lineSchema.safeParse(JSON.parse(line));
    if (data === undefined) continue;
    const step = `${data.workflowId} ${data.activityId}`;
    const at = Date.parse(data.time);
    const from = started.get(step);
    if (data.message === 'step starts') started.set(step, at);
    else if (from !== undefined) spans.push([from, at]);
  }
  return spans;
}

/** How long at least one of the spans lasted. */
function covered(spans: readonly Span[]): number {
  let sum = 0;
  let reached = Number.NEGATIVE_INFINITY;
  for (const [from, until] of [...spans].sort((a, b) => a[0] - b[0])) {
    sum += Math.max(0, until - Math.max(from, reached));
    reached = Math.max(reached, until);
  }
  return sum;
}
