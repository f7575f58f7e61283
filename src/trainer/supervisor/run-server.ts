/**
 * Runs a server of chat completions for as long as some work takes. Its process is fenced like a trainer's: one for a folder,
 * ended with whoever started it, and killed by the next attempt if it is still there.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../../core/child-environment.ts';
import { signalGroup } from '../../core/process-identity.ts';
import type { ServeSettings } from '../../core/worker-settings.ts';
import { jobFileName, killPreviousTrainer, lowerFence, raiseFence, watchFence } from './fence.ts';
import { TrainerError } from './trainer-error.ts';
import { openTrainerLog, type TrainerLog } from './trainer-log.ts';

export interface ServerToRun extends ServeSettings {
  /** Model directory, for a command with `{model}`. */
  model?: string;
  /** The step's folder: job, log (`trainer.log`) and fence are kept there. */
  directory: string;
  signal: AbortSignal;
  /** Between SIGTERM and SIGKILL. Default 10. */
  graceSeconds?: number;
}

export interface RunningServer {
  /** Such as `http://127.0.0.1:8000/v1`. */
  url: string;
  /** Aborted when the work should stop, or the server is gone. */
  signal: AbortSignal;
}

const wrapper = fileURLToPath(new URL('serve-process.mjs', import.meta.url));
const pollMilliseconds = 250;
/** In the environment of a server and of all that it starts: its job. */
const jobVariable = 'DATAENGINE_SERVER_JOB';

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Starts the server, waits until it lists its models, does the work and stops it. Whatever way the work ends, no process of the
 * server is left.
 *
 * @throws TrainerError (retryable) when it does not start, is not ready in time, or ends before the work does; what the work
 *   throws; the signal's reason
 */
export async function withServer<R>(server: ServerToRun, work: (running: RunningServer) => Promise<R>): Promise<R> {
  const { directory, signal, readySeconds, graceSeconds = 10 } = server;
  await killPreviousServer(directory);
  signal.throwIfAborted();
  await mkdir(directory, { recursive: true });
  const port = server.port ?? (await freePort());
  if (server.port !== undefined) await requireFree(port);
  const fill = (text: string) => text.replaceAll('{model}', server.model ?? '').replaceAll('{port}', String(port));
  const job = join(await realpath(directory), jobFileName);
  await writeFile(job, `${JSON.stringify({ kind: 'serve', command: server.command.map(fill) }, null, 2)}\n`);
  const log = openTrainerLog(directory);
  log.write(`--- ${new Date().toISOString()} serve`);
  const child = start(job);
  const lines = Promise.all([readLines(child.stdout, log), readLines(child.stderr, log)]);
  const gone = new AbortController();
  const exited = once(child, 'exit').catch(() => undefined);
  const pid = child.pid as number;
  let isStopping = false;
  void exited.then(() => {
    if (!isStopping) gone.abort(ended(log));
  });
  let stopWatching: () => void = () => undefined;
  const both = AbortSignal.any([signal, gone.signal]);
  const url = `http://127.0.0.1:${port}/v1`;
  try {
    await raiseFence(directory, pid);
    stopWatching = watchFence(directory, pid, () => gone.abort(takenOver(directory)));
    await untilReady(url, { readySeconds, signal: both, log });
    return await work({ url, signal: both });
  } catch (error) {
    // Requests to a server that is gone fail in other ways; what ended it is said instead.
    signal.throwIfAborted();
    gone.signal.throwIfAborted();
    throw error;
  } finally {
    isStopping = true;
    stopWatching();
    signalGroup(pid, 'SIGTERM');
    await Promise.race([childrenGone(job, graceSeconds), exited]);
    signalGroup(pid, 'SIGKILL');
    await exited;
    await killProcessesOf(job);
    await lowerFence(directory, pid);
    await lines;
    await log.close();
  }
}

/** Kills what an earlier attempt left of its server in this folder. */
export async function killPreviousServer(directory: string): Promise<void> {
  await killPreviousTrainer(directory);
  const folder = await realpath(directory).catch(() => undefined);
  if (folder !== undefined) await killProcessesOf(join(folder, jobFileName));
}

function start(job: string): Child {
  return spawn(process.execPath, [wrapper, job], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: childEnvironment({ [jobVariable]: job }),
  }).on('error', () => undefined);
}

/**
 * Kills every process that has the job in its environment: those whose leader was killed with `kill -9`, and those that left
 * its group. On systems without `/proc` the group is all that is known.
 */
async function killProcessesOf(job: string): Promise<void> {
  for (const pid of await processesOf(job)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone meanwhile.
    }
  }
}

/** Other users' processes can't be read, and are none of ours. */
async function processesOf(job: string): Promise<number[]> {
  const wanted = `${jobVariable}=${job}`;
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
  const isOurs = async (pid: number) => {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    return pid !== process.pid && environment.split('\0').includes(wanted);
  };
  const found = await Promise.all(pids.map(async (pid) => ((await isOurs(pid)) ? [pid] : [])));
  return found.flat();
}

/** Until the wrapper is all that is left of the group, or the time to stop is over. */
async function childrenGone(job: string, graceSeconds: number): Promise<void> {
  const deadline = performance.now() + graceSeconds * 1000;
  while (performance.now() < deadline && (await processesOf(job)).length > 1) await wait(50);
}

async function untilReady(
  url: string,
  { readySeconds, signal, log }: { readySeconds: number; signal: AbortSignal; log: TrainerLog },
): Promise<void> {
  const deadline = performance.now() + readySeconds * 1000;
  for (;;) {
    signal.throwIfAborted();
    const answer = await fetch(`${url}/models`, { signal: AbortSignal.any([signal, AbortSignal.timeout(5000)]) }).catch(
      () => undefined,
    );
    await answer?.body?.cancel();
    if (answer?.ok) return;
    if (performance.now() > deadline) {
      const message = `the server was not ready after ${readySeconds} s; last lines of ${log.file}:\n${log.lastLines()}`;
      throw new TrainerError({ kind: 'stalled', retryable: true, message });
    }
    await wait(pollMilliseconds, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function ended(log: TrainerLog): TrainerError {
  const message = `the server ended before the work was done; last lines of ${log.file}:\n${log.lastLines()}`;
  return new TrainerError({ kind: 'crashed', retryable: true, message });
}

function takenOver(directory: string): TrainerError {
  const message = `another attempt started in ${directory}, so this one's server was stopped`;
  return new TrainerError({ kind: 'internal', retryable: true, message });
}

async function readLines(stream: Readable, log: TrainerLog): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) log.write(line);
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** What already listens there would be taken for the server. @throws TrainerError (retryable) */
async function requireFree(port: number): Promise<void> {
  const server = createServer();
  const problem = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once('error', resolve);
    server.listen(port, '127.0.0.1', () => resolve(undefined));
  });
  await new Promise((resolve) => server.close(resolve));
  if (problem === undefined) return;
  const message = `port ${port} of the server is not free (${problem.code})`;
  throw new TrainerError({ kind: 'internal', retryable: true, message });
}
