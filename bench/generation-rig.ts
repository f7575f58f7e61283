/**
 * A Temporal server, a local teacher and CPU workers, each a process of its own, for benchmarks of the generation.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { endingWithUs, type OwnedProcess, startOwned } from '../cli/demo/child-process.ts';
import { startTemporalServer } from '../cli/demo/temporal-server.ts';
import { connectClient } from '../cli/temporal-client.ts';
import { temporalExecutable } from '../cli/temporal-executable.ts';
import type { LocalTeacherCounts } from '../generation/local-teacher/server.ts';

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
const projectFile = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

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
    const server = await startTemporalServer({
      executable: await temporalExecutable(),
      databaseFile: join(folder, 'temporal.db'),
      logFile: join(folder, 'temporal.log'),
    });
    owned.push(server.process);
    const teacherLog = join(folder, 'teacher.log');
    const teacher = await startOwned({
      name: 'local teacher',
      ...endingWithUs(process.execPath, [
        ...profiling('teacher'),
        '--import',
        'tsx',
        projectFile('generation/local-teacher/main.ts'),
        '--port',
        '0',
        ...teacherArguments,
      ]),
      logFile: teacherLog,
    });
    owned.push(teacher);
    const baseUrl = await firstMatch(teacherLog, /"baseUrl":"([^"]+)"/);
    const client = await connectClient(server.address);
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
          environment: { TEMPORAL_ADDRESS: server.address, DATAENGINE_EXIT_WITH_PARENT: '1' },
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

/** What a program says in its log once it is ready. */
async function firstMatch(logFile: string, pattern: RegExp): Promise<string> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const found = pattern.exec(await readFile(logFile, 'utf8').catch(() => ''))?.[1];
    if (found !== undefined) return found;
    await sleep(100);
  }
  throw new Error(`not ready after a minute; see ${logFile}`);
}

/** From Linux's own figures; nothing for a process that is gone. */
async function memoryOf(pid: number): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const mebibytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024;
  return { now: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
}

const ticksPerSecond = 100;

/** Seconds of processor time by process group, from Linux's own figures (proc_pid_stat(5)). */
async function processorTimeOfGroups(): Promise<Map<number, number>> {
  const groups = new Map<number, number>();
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    // The name, in brackets, may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [group, user, system] = [fields[2], fields[11], fields[12]].map(Number);
    if (group && user !== undefined && system !== undefined) {
      groups.set(group, (groups.get(group) ?? 0) + (user + system) / ticksPerSecond);
    }
  }
  return groups;
}

/** Events, and the bytes of the largest payload, of the longest execution of a workflow. */
export async function examineHistories(
  client: Client,
  workflowId: string,
): Promise<{ executions: number; events: number; largestPayload: number }> {
  const result = { executions: 0, events: 0, largestPayload: 0 };
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    result.executions += 1;
    result.events = Math.max(result.events, events?.length ?? 0);
    for (const event of events ?? []) result.largestPayload = Math.max(result.largestPayload, largestPayload(event));
  }
  return result;
}

function largestPayload(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0;
  const own = 'data' in value && value.data instanceof Uint8Array ? value.data.length : 0;
  return Math.max(own, ...Object.values(value).map(largestPayload));
}
