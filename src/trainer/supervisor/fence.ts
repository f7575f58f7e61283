/**
 * One trainer per folder. A worker that was killed with `kill -9`, or that the server lost, does not stop its trainer, and
 * the next attempt would write beside it; so each attempt leaves its trainer's identity in the folder, the fence, and the
 * next one kills that trainer first. A trainer on another host can't be killed: the next attempt removes its fence, and
 * waits until the worker that watches it must have noticed.
 */
import { access, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { processArguments, processStartTime, signalGroup } from '../../core/process-identity.ts';
import { TrainerError } from './trainer-error.ts';
import { openTrainerLog } from './trainer-log.ts';

const fenceSchema = z.object({ host: z.string(), pid: z.int().positive(), startTime: z.string() });
type Fence = z.output<typeof fenceSchema>;
/** The name of a fence, in the folder of its trainer. */
export const fenceName = 'trainer.pid.json';
/** The name of a trainer's job, in its folder: the last argument of its program. */
export const jobFileName = 'job.json';
const fenceFile = (directory: string) => join(directory, fenceName);
const killTimeoutMilliseconds = 10_000;
const pollMilliseconds = 1000;
const pollsToWait = 5;

/**
 * Makes sure that no previous trainer of this folder is still running; on this host its process group is killed. Every
 * attempt of a step does so before it touches the folder.
 *
 * @throws TrainerError (retryable) when it cannot be killed
 */
export async function killPreviousTrainer(directory: string): Promise<void> {
  const previous = await readFence(directory);
  if (previous === undefined) return;
  if (previous.host !== hostname()) {
    await rm(fenceFile(directory), { force: true });
    await sleep(pollsToWait * pollMilliseconds);
    return;
  }
  if (!(await isRunning(previous)) || !(await worksOn(directory, previous))) return;
  signalGroup(previous.pid, 'SIGKILL');
  // Not by the time of day, which may be set meanwhile.
  const deadline = performance.now() + killTimeoutMilliseconds;
  while (await isRunning(previous)) {
    if (performance.now() > deadline) {
      throw new TrainerError({
        kind: 'internal',
        retryable: true,
        message: `the previous trainer (pid ${previous.pid}) still writes to ${directory} and could not be killed`,
      });
    }
    await sleep(20);
  }
  const log = openTrainerLog(directory);
  log.write(`--- killed the previous trainer, which was still running (pid ${previous.pid})`);
  await log.close();
}

/** The pid of the trainer that runs for this folder, on this host. */
export async function runningTrainer(directory: string): Promise<number | undefined> {
  const fence = await readFence(directory);
  const isHere = fence?.host === hostname() && (await isRunning(fence)) && (await worksOn(directory, fence));
  return isHere ? fence.pid : undefined;
}

/** Whether the folder has the record of a trainer of this host that is gone. */
export async function isLeftBehind(directory: string): Promise<boolean> {
  const fence = await readFence(directory);
  return fence?.host === hostname() && !(await isRunning(fence));
}

/** Records the trainer that now owns the folder. */
export async function raiseFence(directory: string, pid: number): Promise<void> {
  const startTime = await processStartTime(pid);
  if (startTime === undefined) return;
  await writeFile(fenceFile(directory), JSON.stringify({ host: hostname(), pid, startTime }));
}

/** Calls `onLost` once if the fence of this trainer is removed or replaced by another's. Call the result to stop. */
export function watchFence(directory: string, pid: number, onLost: () => void): () => void {
  const timer = setInterval(() => {
    void ownsFence(directory, pid).then((own) => {
      if (own) return;
      clearInterval(timer);
      onLost();
    });
  }, pollMilliseconds);
  return () => clearInterval(timer);
}

/** Removes the record of a trainer that is known to be gone, unless another's has taken its place. */
export async function lowerFence(directory: string, pid: number): Promise<void> {
  if (await ownsFence(directory, pid)) await rm(fenceFile(directory), { force: true });
}

async function ownsFence(directory: string, pid: number): Promise<boolean> {
  const problem = await access(fenceFile(directory)).catch((error: NodeJS.ErrnoException) => error.code);
  // A disk that does not answer now is no reason to kill a trainer.
  if (problem !== undefined) return problem !== 'ENOENT';
  const fence = await readFence(directory);
  return fence?.host === hostname() && fence.pid === pid;
}

/**
 * Whether the process is a trainer of this folder: it was started with the folder's job. Whoever can write into the folder
 * must not have this program kill another process.
 */
async function worksOn(directory: string, { pid }: Fence): Promise<boolean> {
  // As a group, 1 is every process there is.
  if (pid === 1) return false;
  const own = await realpath(directory);
  const jobs = (await processArguments(pid)).filter((argument) => basename(argument) === jobFileName);
  const folders = await Promise.all(jobs.map((job) => realpath(dirname(job)).catch(() => undefined)));
  return folders.includes(own);
}

/** Whether the process of that pid is still the one that the fence names. */
async function isRunning({ pid, startTime }: Fence): Promise<boolean> {
  return (await processStartTime(pid)) === startTime;
}

async function readFence(directory: string): Promise<Fence | undefined> {
  try {
    return fenceSchema.parse(JSON.parse(await readFile(fenceFile(directory), 'utf8')));
  } catch {
    // Absent, or truncated because its writer was killed: that trainer notices its closed standard input.
    return undefined;
  }
}
