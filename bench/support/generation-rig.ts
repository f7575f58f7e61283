/**
 * A Temporal server, a local teacher and CPU workers, each a process of its own, for benchmarks of the generation.
 */

import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { connectClient } from '../../cli/temporal-client.ts';
import { endingWithUs, type OwnedProcess, startOwned } from '../../demo/command/child-process.ts';
import { startTemporalServer } from '../../demo/command/temporal-server.ts';
import type { LocalTeacherCounts } from '../../demo/local-teacher/server.ts';
import { teacherQueueOf } from '../../src/config/workflow-schemas.ts';
import { projectFile } from '../../src/core/files.ts';
import { firstMatch, memoryOf, processorTimeOfGroups } from './process-figures.ts';
import { accessTo } from './worker-access.ts';

export interface GenerationRig {
  client: Client;
  /** Such as `http://127.0.0.1:8787/v1`. */
  baseUrl: string;
  counts(): Promise<LocalTeacherCounts>;
  /** Resolves once the worker polls. */
  startWorker(): Promise<OwnedProcess>;
  /** The most memory, in MiB, that any worker has held so far, and what the largest holds now. */
  memory(): Promise<{ now: number; peak: number }>;
  /** Seconds of processor time that each part has taken so far. */
  processorTime(): Promise<ProcessorTime>;
  stop(): Promise<void>;
}

export interface ProcessorTime {
  workers: number;
  teacher: number;
  server: number;
}

export const taskQueue = 'bench-generation';
export const queues = { cpu: taskQueue, teacher: teacherQueueOf(taskQueue) };

/**
 * Starts the server and the teacher; workers are started one by one.
 *
 * @param profiles a folder for V8's profiles of the teacher and the workers (`--cpu-prof`); default: none are taken
 */
export async function startRig(folder: string, teacherArguments: string[], profiles?: string): Promise<GenerationRig> {
  const owned: OwnedProcess[] = [];
  const profiling = (name: string) =>
    profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${join(profiles, name)}`];
  const stop = async () => {
    await Promise.all(owned.slice(1).map((process) => process.stop(5)));
    await owned[0]?.stop(5);
  };
  try {
    const server = await startTemporalServer(folder);
    owned.push(server.process);
    const teacherLog = join(folder, 'teacher.log');
    const teacher = await startOwned({
      name: 'local teacher',
      ...endingWithUs(process.execPath, [
        ...profiling('teacher'),
        '--import',
        'tsx',
        projectFile('demo/local-teacher/main.ts'),
        '--port',
        '0',
        ...teacherArguments,
      ]),
      logFile: teacherLog,
    });
    owned.push(teacher);
    const baseUrl = await firstMatch(teacherLog, /"baseUrl":"([^"]+)"/);
    const client = await connectClient(server.address);
    const access = await accessTo(folder);
    const workers: OwnedProcess[] = [];
    let started = 0;
    return {
      client,
      baseUrl,
      counts: async () => (await (await fetch(new URL('/admin/counts', baseUrl))).json()) as LocalTeacherCounts,
      startWorker: async () => {
        started += 1;
        const logFile = join(folder, `worker-${started}.log`);
        const worker = await startOwned({
          name: 'CPU worker',
          program: process.execPath,
          arguments: [...profiling('workers'), '--import', 'tsx', projectFile('workers/cpu.ts'), taskQueue],
          logFile,
          environment: { TEMPORAL_ADDRESS: server.address, DATAENGINE_EXIT_WITH_PARENT: '1', ...access },
        });
        owned.push(worker);
        workers.push(worker);
        await firstMatch(logFile, /(RUNNING)/);
        return worker;
      },
      memory: async () => {
        const held = await Promise.all(workers.map(({ pid }) => memoryOf(pid)));
        return { now: Math.max(0, ...held.map(({ now }) => now)), peak: Math.max(0, ...held.map(({ peak }) => peak)) };
      },
      processorTime: async () => {
        const groups = await processorTimeOfGroups();
        const of = ({ pid }: OwnedProcess) => groups.get(pid) ?? 0;
        return {
          workers: workers.reduce((sum, worker) => sum + of(worker), 0),
          teacher: of(teacher),
          server: of(server.process),
        };
      },
      stop: async () => {
        await client.connection.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
