/**
 * Which activities are under way in this process, and when one last gave a sign of life: what a worker's health is told by.
 */
import { Context } from '@temporalio/activity';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';

interface QueueActivity {
  /** Slots that activities hold. */
  held: number;
  /** Starts, heartbeats and ends so far. */
  signs: number;
}

const queues = new Map<string, QueueActivity>();

/** The activities of a task queue in this process. */
export function activitiesOf(taskQueue: string): QueueActivity {
  const known = queues.get(taskQueue) ?? { held: 0, signs: 0 };
  queues.set(taskQueue, known);
  return known;
}

/**
 * To be called with each heartbeat. One of an activity that was cancelled is no sign of life: it goes on for as long as the
 * work ignores that.
 */
export function signOfLife({ info, cancellationSignal }: Context = Context.current()): void {
  if (!cancellationSignal.aborted) activitiesOf(info.taskQueue).signs += 1;
}

/** An interceptor that counts the activities of a worker. */
export const countActivities: ActivityInterceptorsFactory = ({ info: { taskQueue } }) => ({
  inbound: {
    async execute(input, next) {
      const queue = activitiesOf(taskQueue);
      queue.held += 1;
      queue.signs += 1;
      try {
        return await next(input);
      } finally {
        queue.held -= 1;
        queue.signs += 1;
      }
    },
  },
});
