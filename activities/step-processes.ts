/**
 * Child processes that compute the work of activities, so that the worker's own event loop stays free: it polls, sends
 * heartbeats and answers its health check while a step parses half a gigabyte. A process does one task at a time, and is
 * kept for the next one. It ends when the worker does, however that ends.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure, defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import { stepEnvironment } from '../src/core/child-environment.ts';
import { usualWorkerSettings } from '../src/core/worker-settings.ts';
import type { Progress } from '../src/trainer/protocol.ts';
import type { FromStepProcess, ToStepProcess } from './step-process.ts';

/** How long a canceled task may take before its process is killed. */
export interface StopLimits {
  /** Until its work has ended: a process that computes may not notice that it is to stop. */
  stopMilliseconds: number;
  /** After that, while it uploads what a later attempt resumes from. */
  saveMilliseconds: number;
}

const usualLimits: StopLimits = { stopMilliseconds: 4000, saveMilliseconds: 45_000 };
const idleMilliseconds = 60_000;

export interface StepProcessesOptions {
  /** The program, which calls `serveSteps`. */
  entry: URL;
  /** Of the processes. Default: what processes of a worker with the usual settings get. */
  environment?: Record<string, string>;
  /** The largest heap of a process. Default: Node's own, by the memory of the machine or the container. */
  heapMegabytes?: number | undefined;
  limits?: StopLimits;
}

/** What accompanies a task. */
export interface TaskOptions {
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

export interface StepProcesses {
  /**
   * Has a process do a task.
   *
   * @param facts plain values that the processes' program understands
   * @throws the task's error, as Temporal sees it; the signal's reason, at most five seconds after it was aborted, or once
   *   what was done is saved
   */
  run(name: string, facts: unknown, options: TaskOptions): Promise<unknown>;
  /** Ends the processes that are idle; the others end with their tasks. */
  close(): void;
}

/** Opens the processes of a worker. The first one starts at once, the others when they are needed. */
export function openStepProcesses({
  entry,
  environment = stepEnvironment(usualWorkerSettings()),
  heapMegabytes,
  limits = usualLimits,
}: StepProcessesOptions): StepProcesses {
  const idle = new Map<ChildProcess, NodeJS.Timeout>();
  let closed = false;

  const start = () => {
    const child = fork(fileURLToPath(entry), [], {
      execArgv: [...memoryFlags(heapMegabytes), '--enable-source-maps', '--import', import.meta.resolve('tsx')],
      // Standard output is for results.
      stdio: ['ignore', 2, 2, 'ipc'],
      serialization: 'advanced',
      env: environment,
    });
    child.on('error', () => undefined);
    child.once('exit', () => {
      clearTimeout(idle.get(child));
      idle.delete(child);
    });
    return child;
  };
  /** A process without work does not keep the worker running. */
  const rest = (child: ChildProcess) => {
    child.unref();
    child.channel?.unref();
    if (closed) return void child.disconnect();
    const end = setTimeout(() => {
      // One is kept, since a start takes a second.
      if (idle.size > 1 && idle.delete(child) && child.connected) child.disconnect();
    }, idleMilliseconds);
    end.unref();
    idle.set(child, end);
  };
  const take = (): ChildProcess => {
    // The last one that was used, so that the others are idle for long.
    for (const [child, end] of [...idle].reverse()) {
      clearTimeout(end);
      idle.delete(child);
      if (!child.connected || child.exitCode !== null) continue;
      child.ref();
      child.channel?.ref();
      return child;
    }
    return start();
  };

  rest(start());
  return {
    async run(name, facts, options) {
      options.signal.throwIfAborted();
      const child = take();
      try {
        return await runIn(child, { name, facts }, { ...options, ...limits });
      } finally {
        if (child.connected && child.exitCode === null && !child.killed) rest(child);
      }
    },
    close() {
      closed = true;
      for (const [child, end] of idle) {
        clearTimeout(end);
        if (child.connected) child.disconnect();
      }
      idle.clear();
    },
  };
}

function runIn(
  child: ChildProcess,
  task: { name: string; facts: unknown },
  { signal, onProgress, stopMilliseconds, saveMilliseconds }: TaskOptions & StopLimits,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let killTimer: NodeJS.Timeout | undefined;
    let worked = false;
    const killAfter = (milliseconds: number) => {
      clearTimeout(killTimer);
      killTimer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
    };
    const send = (message: ToStepProcess) => child.send(message, () => undefined);
    const stop = () => {
      send({ type: 'stop', reason: String(signal.reason) });
      killAfter(worked ? saveMilliseconds : stopMilliseconds);
    };
    const settle = (end: () => void) => {
      clearTimeout(killTimer);
      signal.removeEventListener('abort', stop);
      child.off('message', onMessage);
      child.off('exit', onExit);
      end();
    };
    const onExit = (code: number | null, exitSignal: NodeJS.Signals | null) =>
      settle(() => reject(signal.aborted ? signal.reason : endedEarly(task.name, exitSignal ?? `exit code ${code}`)));
    const onMessage = (message: FromStepProcess) => {
      if (message.type === 'progress') onProgress(message.progress);
      if (message.type === 'worked') {
        worked = true;
        if (signal.aborted) killAfter(saveMilliseconds);
      }
      if (message.type === 'done') settle(() => resolve(message.outcome));
      if (message.type === 'failed') {
        const { failureToError } = defaultFailureConverter;
        settle(() => reject(failureToError.call(defaultFailureConverter, message.failure, defaultPayloadConverter)));
      }
    };
    child.on('message', onMessage);
    child.once('exit', onExit);
    signal.addEventListener('abort', stop, { once: true });
    send({ type: 'start', ...task });
  });
}

function endedEarly(name: string, how: string): ApplicationFailure {
  // V8 ends a process whose heap is full by SIGABRT, the system one that takes the memory of others by SIGKILL.
  const hint = how === 'SIGABRT' || how === 'SIGKILL' ? '. It may have lacked memory: see limits.stepMegabytes' : '';
  const message = `the process that computed ${name} was ended by ${how}${hint}`;
  return ApplicationFailure.retryable(message, 'StepProcessEnded');
}

/** A limit that the worker was started with holds for its processes too. */
function memoryFlags(megabytes: number | undefined): string[] {
  if (megabytes !== undefined) return [`--max-old-space-size=${megabytes}`];
  return process.execArgv.filter((flag) => flag.startsWith('--max-'));
}
