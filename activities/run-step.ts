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
import { claimForWorkflow } from './owner.ts';
import type { StepReference } from './references.ts';
import type { StepProcesses } from './step-processes.ts';

/** What the activities need from the worker; tests pass a trainer of their own. */
export interface ActivityDependencies {
  /** What the worker adds to the library. */
  extensions: Extensions;
  /** What the worker may touch. */
  settings: WorkerSettings;
  /** Default: our own trainer on native TensorFlow. */
  trainer?: TrainerCommand;
  /** Whether the worker has a GPU to itself. */
  holdsGpu?: boolean;
  /** Whether the namespace has the search attributes. */
  searchAttributes?: boolean;
  /** Whether the requests to the teacher are left to other workers. */
  asksNoTeacher?: boolean;
  /** What computes the work of the CPU activities. Default: this process. */
  processes?: StepProcesses;
}

/** What a task is given besides its input. */
export interface TaskHost extends Omit<ActivityDependencies, 'processes'> {
  signal: AbortSignal;
  onProgress: StepContext['onProgress'];
  /** Of the run's owner, for whom the work is done. */
  epoch?: number | undefined;
  /** Called when the work on a run has ended, before its results are saved. */
  onWorked?: () => void;
}

/** What accompanies a task. */
export type TaskOptions = Pick<TaskHost, 'signal' | 'onProgress' | 'epoch'>;

/** What the processes are given of it: plain values. The rest is theirs. */
export interface StepFacts
  extends Pick<ActivityDependencies, 'settings' | 'trainer' | 'searchAttributes' | 'asksNoTeacher'> {
  input: unknown;
  epoch: number | undefined;
}

/** Does a task by its name, in a process of its own where the worker has those. */
export async function runTask<Input, R>(
  { processes, ...dependencies }: ActivityDependencies,
  name: string,
  task: (input: Input, host: TaskHost) => Promise<R>,
  input: Input,
  { epoch, ...options }: TaskOptions,
): Promise<R> {
  if (processes === undefined) return task(input, { ...dependencies, ...options, epoch });
  const { extensions: _, ...facts } = dependencies;
  return (await processes.run(name, { ...facts, input, epoch } satisfies StepFacts, options)) as R;
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
  const work = (options: TaskOptions) => workOnRun({ ...dependencies, ...options }, reference, step, owns);
  return asStep(reference, dependencies, work, limit);
}

/** Opens the run of a reference for a step's work. @param owns the folders of the run that the work writes */
export function workOnRun<R>(
  host: TaskHost,
  { runDirectory, round }: StepReference,
  work: (context: StepContext) => Promise<R>,
  owns: RunWork['owns'],
): Promise<R> {
  const { signal, onProgress, onWorked, epoch, extensions, settings: access, trainer, asksNoTeacher } = host;
  const { holdsGpu = false } = host;
  return withRun(runDirectory, { owns, epoch, signal, onProgress, extensions, access }, (run) =>
    work({ ...run, round, onProgress, trainer, holdsGpu, asksNoTeacher }).finally(onWorked),
  );
}

/** Work on a run as an activity: heartbeats, metrics, log lines, cancellation and errors. */
export async function asStep<R>(
  { runDirectory, round, owner }: StepReference,
  { settings }: Pick<ActivityDependencies, 'settings'>,
  work: (options: TaskOptions) => Promise<R>,
  limit: AttemptLimit = {},
): Promise<R> {
  return asActivity(() =>
    withHeartbeat(
      round,
      async (report) => {
        const { log, cancellationSignal: signal } = Context.current();
        const place = { run: runDirectory.split('/').at(-1), round };
        const metrics = stepMetrics();
        const onProgress: StepContext['onProgress'] = (progress) => {
          report(progress);
          metrics.progress(progress);
        };
        log.info('step starts', place);
        const epoch = owner && (await claimForWorkflow({ runDirectory, owner }, settings));
        const outcome = await work({ signal, onProgress, epoch });
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
