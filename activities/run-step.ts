import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import type { WorkerSettings } from '../src/core/worker-settings.ts';
import type { Extensions } from '../src/round/extensions.ts';
import { type RunWork, withRun } from '../src/round/open-run.ts';
import type { StepContext } from '../src/round/step-context.ts';
import type { TrainerCommand } from '../src/trainer/supervisor/trainer-command.ts';
import { interrupted, toActivityFailure } from './errors.ts';
import { type AttemptLimit, withHeartbeat } from './heartbeat.ts';
import { stepMetrics } from './metrics.ts';
import type { StepReference } from './references.ts';

/** What the activities need from the worker; tests pass a trainer of their own. */
export interface ActivityDependencies {
  /** What the worker adds to the library. */
  extensions: Extensions;
  /** What the worker may touch. */
  settings: WorkerSettings;
  /** Default: our own trainer on native TensorFlow. */
  trainer?: TrainerCommand;
  /** Whether the namespace has the search attributes. */
  searchAttributes?: boolean;
}

/**
 * Runs a step of the library as an activity: heartbeats, cancellation, errors, and for a run in a store the transfer of
 * what the step needs and leaves.
 *
 * @param options.owns the folders of the run that the step writes
 */
export async function runStep<R>(
  reference: StepReference,
  dependencies: ActivityDependencies,
  step: (context: StepContext) => Promise<R>,
  { owns, ...limit }: AttemptLimit & Pick<RunWork, 'owns'> = {},
): Promise<R> {
  return asActivity(() =>
    withHeartbeat(
      reference.round,
      async (report) => {
        const { log, cancellationSignal } = Context.current();
        const { runDirectory, round } = reference;
        const place = { run: runDirectory.split('/').at(-1), round };
        const metrics = stepMetrics();
        const onProgress: StepContext['onProgress'] = (progress) => {
          report(progress);
          metrics.progress(progress);
        };
        log.info('step starts', place);
        const { trainer, extensions, settings: access } = dependencies;
        const work = { owns, signal: cancellationSignal, onProgress, extensions, access };
        const outcome = await withRun(runDirectory, work, (run) => step({ ...run, round, onProgress, trainer }));
        metrics.done(outcome);
        log.info('step done', { ...place, ...outcomeFacts(outcome) });
        return outcome;
      },
      limit,
    ),
  );
}

/** The numbers of an outcome, which are short enough for a log line. */
function outcomeFacts(outcome: unknown): Record<string, number | boolean> {
  if (typeof outcome !== 'object' || outcome === null) return {};
  const facts = Object.entries(outcome).filter(([, value]) => typeof value === 'number' || typeof value === 'boolean');
  return Object.fromEntries(facts);
}

/** Translates the errors of the libraries for Temporal. */
export async function asActivity<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    const { cancellationSignal, cancellationDetails } = Context.current();
    if (!cancellationSignal.aborted) throw toActivityFailure(error);
    const reason: unknown = cancellationSignal.reason;
    const isShutdown = reason instanceof CancelledFailure && reason.message === 'WORKER_SHUTDOWN';
    if (isShutdown || cancellationDetails?.paused) throw interrupted(String(reason));
    throw reason;
  }
}
