/** Has a workflow know whether anybody works on a queue. */
import { Context } from '@temporalio/activity';
import { taskQueuesOf } from '../src/config/workflow-schemas.ts';
import { configError } from '../src/core/input-error.ts';
import { withHeartbeat } from './heartbeat.ts';
import { isPolled } from './is-polled.ts';
import type { QueueReference } from './references.ts';
import { type ActivityDependencies, asActivity, workOnRun } from './run-step.ts';

/** Looks whether any worker polls a queue of the run. @throws InputError for a queue that is none of the run's */
export function lookForWorkers(
  { queue, ...reference }: QueueReference,
  dependencies: ActivityDependencies,
): Promise<{ polled: boolean }> {
  return asActivity(() =>
    withHeartbeat(reference.round, (onProgress) => {
      const context = Context.current();
      const host = { ...dependencies, signal: context.cancellationSignal, onProgress };
      return workOnRun(
        host,
        reference,
        async ({ config }) => {
          if (!Object.values(taskQueuesOf(config)).includes(queue))
            throw configError('temporal.taskQueues', `has no queue ${queue}`, 'Name one of its queues');
          return { polled: await isPolled(context.client, queue, 'activity') };
        },
        undefined,
      );
    }),
  );
}
