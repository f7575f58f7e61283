/** The side of a process that computes for a worker (`step-processes.ts`). */
import { type DefaultFailureConverter, defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import type { Progress } from '../src/trainer/protocol.ts';
import { toActivityFailure } from './errors.ts';

type Failure = ReturnType<DefaultFailureConverter['errorToFailure']>;

export type ToStepProcess = { type: 'start'; name: string; facts: unknown } | { type: 'stop'; reason: string };

export type FromStepProcess =
  | { type: 'progress'; progress: Progress }
  /** Only results are still saved. */
  | { type: 'worked' }
  | { type: 'done'; outcome: unknown }
  | { type: 'failed'; failure: Failure };

/** What a task is given to report by, and to stop by. */
export interface ServedTask {
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
  /** Called when the work has ended, before its results are saved. */
  onWorked: () => void;
}

/** More often nobody looks. */
const reportMilliseconds = 200;

/** Does the tasks that the worker sends, until the worker ends. */
export function serveSteps(work: (name: string, facts: unknown, task: ServedTask) => Promise<unknown>): void {
  let current: AbortController | undefined;
  // Ctrl-C in a terminal, and a service manager's signal, reach the worker too, which stops its tasks in order.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  process.on('disconnect', () => process.exit());
  process.on('message', async (message: ToStepProcess) => {
    if (message.type === 'stop') {
      current?.abort(new Error(message.reason));
      return;
    }
    current = new AbortController();
    const reports = throttled((progress) => send({ type: 'progress', progress }));
    try {
      const outcome = await work(message.name, message.facts, {
        signal: current.signal,
        onProgress: reports.report,
        onWorked: () => send({ type: 'worked' }),
      });
      reports.flush();
      current = undefined;
      send({ type: 'done', outcome });
    } catch (error) {
      reports.flush();
      current = undefined;
      send({ type: 'failed', failure: failureOf(error) });
    }
  });
}

function send(message: FromStepProcess): void {
  if (process.connected) process.send?.(message);
}

/** With its type, whether it may be retried and its causes, as the server would get it. */
function failureOf(error: unknown): Failure {
  return defaultFailureConverter.errorToFailure(toActivityFailure(error), defaultPayloadConverter);
}

function throttled(report: (progress: Progress) => void) {
  let latest: Progress | undefined;
  let reportedAt = 0;
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (latest === undefined) return;
    report(latest);
    latest = undefined;
    reportedAt = performance.now();
  };
  return {
    flush,
    report(progress: Progress) {
      latest = progress;
      if (performance.now() - reportedAt >= reportMilliseconds) flush();
      else timer ??= setTimeout(flush, reportMilliseconds);
    },
  };
}
