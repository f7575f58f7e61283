/**
 * For an orchestrator's probes: `GET /healthz` answers 200 while all workers of the process do their work, 503 otherwise. A
 * thread of its own answers, so that there is an answer while the worker's own is blocked.
 */
import { stat } from 'node:fs/promises';
import { Worker as Thread } from 'node:worker_threads';
import type { Worker } from '@temporalio/worker';
import { activitiesOf } from '../activities/signs-of-life.ts';

export interface HealthEndpoint {
  port: number;
  close(): Promise<void>;
}

/** A worker, and the slots that it has for activities. */
export interface WatchedWorker {
  worker: Worker;
  slots: number;
}

export interface HealthLimits {
  /** How long the event loop may be blocked. */
  blockedSeconds: number;
  /**
   * How long activities may hold all slots of a worker without a heartbeat, a start or an end; and how long a look at a file
   * may take. A few reads that never return, as of a pipe, keep all others from being done.
   */
  stuckSeconds: number;
}

const usualLimits: HealthLimits = { blockedSeconds: 30, stuckSeconds: 300 };
const states = ['INITIALIZED', 'RUNNING', 'STOPPING', 'DRAINING', 'DRAINED', 'STOPPED', 'FAILED'] as const;
const interval = 250;
const threadFile = new URL('health-thread.mjs', import.meta.url);

/** @param options.port 0 takes any free one. Only this machine can reach it unless `host` says otherwise. */
export async function serveHealth(
  watched: readonly WatchedWorker[],
  { port, host = '127.0.0.1', limits = usualLimits }: { port: number; host?: string; limits?: HealthLimits },
): Promise<HealthEndpoint> {
  const queues = watched.map(({ worker }) => worker.options.taskQueue);
  const shared = new SharedArrayBuffer(4 * (5 + 2 * watched.length));
  const numbers = new Int32Array(shared);
  const write = () => report(watched, numbers);
  write();
  const timer = setInterval(write, interval).unref();
  const stopLooking = lookAtFiles(numbers);
  // Of a clean environment: the loaders of this process are not needed.
  const thread = new Thread(threadFile, {
    workerData: { shared, states, queues, port, host, limits, interval },
    execArgv: [],
  });
  const close = async () => {
    clearInterval(timer);
    stopLooking();
    await thread.terminate();
  };
  try {
    const taken = await new Promise<number>((resolve, reject) => {
      thread.once('error', reject);
      thread.once('message', (answer: { port: number } | { error: Error }) =>
        'error' in answer ? reject(answer.error) : resolve(answer.port),
      );
    });
    // Without the thread nothing answers, and the orchestrator starts the worker again.
    thread.on('error', (error) => process.emitWarning(error));
    thread.unref();
    return { port: taken, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Writes what the thread answers with: beats, [files], state, activities, workflows; and by worker: all held, signs. */
function report(watched: readonly WatchedWorker[], numbers: Int32Array): void {
  const worst = watched.map(({ worker }) => worker.getState()).find((state) => state !== 'RUNNING') ?? 'RUNNING';
  const statuses = watched.map(({ worker }) => worker.getStatus());
  Atomics.add(numbers, 0, 1);
  Atomics.store(numbers, 2, states.indexOf(worst));
  Atomics.store(numbers, 3, sum(statuses.map(({ numInFlightActivities }) => numInFlightActivities)));
  Atomics.store(numbers, 4, sum(statuses.map(({ numInFlightWorkflowActivations }) => numInFlightWorkflowActivations)));
  for (const [index, { worker, slots }] of watched.entries()) {
    const { held, signs } = activitiesOf(worker.options.taskQueue);
    Atomics.store(numbers, 5 + 2 * index, held >= slots ? 1 : 0);
    Atomics.store(numbers, 6 + 2 * index, signs);
  }
}

/** Looks up a file again and again, which takes one of the few threads that all reads of files share. */
function lookAtFiles(numbers: Int32Array): () => void {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const look = async () => {
    await stat(threadFile).catch(() => undefined);
    Atomics.add(numbers, 1, 1);
    if (!stopped) timer = setTimeout(() => void look(), interval).unref();
  };
  void look();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
