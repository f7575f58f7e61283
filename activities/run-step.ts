import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { readFrozenConfig } from '../steps/frozen-config.ts';
import type { StepContext } from '../steps/step-context.ts';
import type { TrainerCommand } from '../trainer/trainer-command.ts';
import { interrupted, toActivityFailure } from './errors.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { StepReference } from './references.ts';

/** What the activities need from outside; tests pass a trainer of their own. */
export interface ActivityDependencies {
  /** Default: our own trainer on native TensorFlow. */
  trainer?: TrainerCommand;
}

/** Runs a step of the library as an activity: heartbeats, cancellation, errors. */
export async function runStep<R>(
  reference: StepReference,
  dependencies: ActivityDependencies,
  step: (context: StepContext) => Promise<R>,
): Promise<R> {
  return asActivity(() =>
    withHeartbeat(reference.round, async (onProgress) => {
      const config = await readFrozenConfig(reference.runDirectory);
      return step({
        config,
        run: { root: reference.runDirectory },
        round: reference.round,
        onProgress,
        signal: Context.current().cancellationSignal,
        trainer: dependencies.trainer,
      });
    }),
  );
}

/** Translates the errors of the libraries for Temporal. */
export async function asActivity<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    const { cancellationSignal, cancellationDetails } = Context.current();
    if (!cancellationSignal.aborted) throw toActivityFailure(error);
    const reason: unknown = cancellationSignal.reason;
    const workGoesOn = reason instanceof CancelledFailure && reason.message === 'WORKER_SHUTDOWN';
    if (workGoesOn || cancellationDetails?.paused) throw interrupted(String(reason));
    throw reason;
  }
}
