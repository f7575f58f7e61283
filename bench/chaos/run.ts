/**
 * A run of the loop on its own processes, some of which are killed.
 */

import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectClient } from '../../cli/temporal-client.ts';
import { endingWithUs } from '../../demo/command/child-process.ts';
import { serverArguments, temporalExecutable } from '../../demo/command/temporal-server.ts';
import { projectFile } from '../../src/core/files.ts';
import { freePorts } from '../../src/core/free-ports.ts';
import { writeFileAtomically } from '../../src/core/write-file.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { accessTo } from '../support/worker-access.ts';
import { type Place, type Victim, victims } from './at-work.ts';
import { filesIn } from './files-in.ts';
import { type Kill, killAtRandom } from './killing.ts';
import { type Supervised, supervise } from './supervised.ts';

export interface ChaosInput {
  /** Everything of the run lies here: database, logs, `runs/`. */
  folder: string;
  /** The config to run. Its folders and the teacher's address are set here. */
  configFile: string;
  run: string;
  seed: number;
  /** Kills, spread over the run; 0 for an undisturbed one. */
  kills: number;
  /** Which are killed. Default: all. */
  among?: readonly Victim[];
  /** Most kills of one victim. Default: one more than its share. */
  each?: number;
  /** How long the undisturbed run takes: the kills are spread over that time. */
  seconds: number;
  /** How long the teacher takes for an answer, so that it is busy for a while. */
  teacherMilliseconds?: number;
  trainerEntry?: string;
  trainerEnvironment?: Record<string, string>;
  onKill?: (kill: Kill) => void;
}

export interface ChaosRun {
  directory: string;
  result: DataEngineResult;
  kills: Kill[];
  seconds: number;
  /** How often each was started. */
  starts: Record<Victim, number>;
  /** The process groups of all workers, teachers and servers. */
  groups: number[];
  /** Step folders whose work finished more than once. */
  endedTwice: string[];
}

const lookMilliseconds = 250;

/** Runs the loop to its end, whatever is killed, and stops all its processes. */
export async function runWithChaos(input: ChaosInput): Promise<ChaosRun> {
  const { folder, run, kills: count, seed } = input;
  const [port, uiPort, teacherPort] = (await freePorts(3)) as [number, number, number];
  await mkdir(folder, { recursive: true });
  const configFile = join(folder, 'chaos.yaml');
  const queues = { cpu: `${run}-cpu`, gpu: `${run}-gpu` };
  await writeFileAtomically(
    configFile,
    JSON.stringify({
      extends: input.configFile,
      runsDirectory: join(folder, 'runs'),
      teacher: { provider: 'local', baseUrl: `http://127.0.0.1:${teacherPort}/v1` },
      temporal: { taskQueues: queues },
    }),
  );
  const address = `127.0.0.1:${port}`;
  const environment = {
    ...input.trainerEnvironment,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: 'default',
    // The config that is extended, what that extends in turn, and their data.
    ...(await accessTo(folder, [dirname(input.configFile), projectFile('.')])),
  };
  const node = (name: string, entry: string, ...rest: string[]): Supervised =>
    supervise({
      name,
      program: process.execPath,
      arguments: ['--import', import.meta.resolve('tsx'), projectFile(entry), ...rest],
      logFile: join(folder, `${name.replace(' ', '-')}.log`),
      environment: { ...environment, DATAENGINE_EXIT_WITH_PARENT: '1' },
    });
  const server = serverArguments({ port, uiPort, folder, logLevel: 'error' });
  const processes: Record<Exclude<Victim, 'trainer'>, Supervised> = {
    'Temporal server': supervise(
      {
        name: 'Temporal server',
        ...endingWithUs(await temporalExecutable(), server),
        logFile: join(folder, 'temporal-server.log'),
      },
      { group: true },
    ),
    teacher: supervise(
      {
        name: 'teacher',
        ...endingWithUs(process.execPath, [
          ...['--import', import.meta.resolve('tsx'), projectFile('demo/local-teacher/main.ts')],
          ...['--port', String(teacherPort), '--seed', String(seed), '--mistake-rate', '0.1'],
          ...['--latency', String(input.teacherMilliseconds ?? 0)],
        ]),
        logFile: join(folder, 'teacher.log'),
      },
      { group: true },
    ),
    'CPU worker': node('CPU worker', 'workers/cpu.ts', queues.cpu),
    'GPU worker': node(
      'GPU worker',
      'workers/gpu.ts',
      queues.gpu,
      ...(input.trainerEntry === undefined ? [] : [input.trainerEntry]),
    ),
  };
  const directory = join(folder, 'runs', run);
  const teacherUrl = `http://127.0.0.1:${teacherPort}/v1`;
  const place: Place = { processes, address, workflowId: run, taskQueue: queues.cpu, directory, teacherUrl };
  const ended = new AbortController();
  const steps = watchSteps(directory, ended.signal);
  const { among = victims, each = Math.ceil(count / among.length) + 1, onKill } = input;
  const startedAt = Date.now();
  const killing = killAtRandom({
    ...{ place, among, each, count, startedAt, onKill },
    seed: `${seed}/chaos`,
    // What was killed takes longer.
    seconds: (1.5 * input.seconds) / (count + 1),
    signal: ended.signal,
  });
  try {
    const result = await startAndWait(address, queues.cpu, run, configFile, ended.signal);
    const seconds = (Date.now() - startedAt) / 1000;
    ended.abort();
    const starts = { trainer: await trainerStarts(directory) } as Record<Victim, number>;
    for (const victim of victims) if (victim !== 'trainer') starts[victim] = processes[victim].groups().length;
    const groups = Object.values(processes).flatMap((supervised) => supervised.groups());
    return { directory, result, kills: await killing, seconds, starts, groups, endedTwice: await steps };
  } finally {
    ended.abort();
    await killing.catch(() => undefined);
    await Promise.all([processes['CPU worker'].stop(), processes['GPU worker'].stop()]);
    await Promise.all([processes.teacher.stop(), processes['Temporal server'].stop()]);
  }
}

async function startAndWait(
  address: string,
  taskQueue: string,
  workflowId: string,
  config: string,
  signal: AbortSignal,
): Promise<DataEngineResult> {
  const args = [{ config, run: workflowId }];
  for (;;) {
    signal.throwIfAborted();
    const client = await connectClient(address).catch(() => undefined);
    try {
      if (client === undefined) continue;
      await client.workflow
        .start('dataEngine', { taskQueue, workflowId, args, workflowIdConflictPolicy: 'USE_EXISTING' })
        .catch((error) => {
          // It was started before the server was killed.
          if (error?.name !== 'WorkflowExecutionAlreadyStartedError') throw error;
        });
      for (;;) {
        const { status } = await client.workflow.getHandle(workflowId).describe();
        if (status.name !== 'RUNNING') break;
        await sleep(lookMilliseconds);
      }
      return await client.workflow.getHandle(workflowId).result();
    } catch (error) {
      // Only a server that does not answer is waited for.
      if ((error as Error).name === 'WorkflowFailedError') throw error;
    } finally {
      await client?.connection.close();
      await sleep(lookMilliseconds);
    }
  }
}

/** How many trainers were started, by their logs. */
async function trainerStarts(directory: string): Promise<number> {
  const logs = await filesIn(directory, (name) => name === 'trainer.log');
  const texts = await Promise.all(logs.map((file) => readFile(file, 'utf8')));
  return texts.reduce((sum, text) => sum + (text.match(/^--- \d{4}-/gm)?.length ?? 0), 0);
}

/**
 * Reads the manifests during the run. A step that finished twice had two manifests with different times; between them a
 * worker was started, which takes longer than the time between two reads.
 */
async function watchSteps(directory: string, signal: AbortSignal): Promise<string[]> {
  const seen = new Map<string, Set<string>>();
  const look = async () => {
    for (const file of await filesIn(directory, (name) => name === 'manifest.json')) {
      const text = await readFile(file, 'utf8').catch(() => '');
      if (text === '') continue;
      const { finishedAt } = JSON.parse(text) as { finishedAt: string };
      seen.set(file, (seen.get(file) ?? new Set()).add(finishedAt));
    }
  };
  while (!signal.aborted) {
    await look();
    await sleep(lookMilliseconds, undefined, { signal }).catch(() => undefined);
  }
  await look();
  return [...seen].filter(([, times]) => times.size > 1).map(([file]) => dirname(file));
}
