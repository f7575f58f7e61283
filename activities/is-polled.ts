/** Whether anybody works on a queue, by what the server knows of its pollers. The command line asks too. */
import type { Client } from '@temporalio/client';
import { optionalTsToDate } from '@temporalio/common/lib/time.js';

/** Of `TaskQueueType` in Temporal's API. */
const queueTypes = { workflow: 1, activity: 2 } as const;

/** A poll lasts a minute; the server forgets a worker only after five. */
const pollMilliseconds = 80_000;

/** Whether a worker has polled a queue of late. */
export async function isPolled(
  client: Pick<Client, 'workflowService' | 'options'>,
  queue: string,
  kind: keyof typeof queueTypes,
): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: queue },
    taskQueueType: queueTypes[kind],
  });
  return (pollers ?? []).some(({ lastAccessTime }) => {
    const at = optionalTsToDate(lastAccessTime)?.getTime();
    return at === undefined || Date.now() - at < pollMilliseconds;
  });
}
