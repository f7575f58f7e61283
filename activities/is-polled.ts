/** Whether anybody works on a queue, by what the server knows of its pollers and workers. The command line asks too. */
import { type Client, isGrpcServiceError } from '@temporalio/client';
import { optionalTsToDate } from '@temporalio/common/lib/time.js';

/** Of `TaskQueueType` in Temporal's API. */
const queueTypes = { workflow: 1, activity: 2 } as const;
/** Of `WorkerStatus` in Temporal's API. */
const running = 1;
/** Most workers that are looked at. */
const pageSize = 100;

/** A poll lasts a minute, and workers report each minute; the server forgets them only after some more. */
const recentMilliseconds = 80_000;

type Server = Pick<Client, 'workflowService' | 'options'>;

/**
 * Whether a worker has polled a queue of late. One whose slots are all taken does not poll, so that for activities a worker counts
 * too that has reported to the server; older servers take no reports.
 *
 * @param recent how long ago a poll or a report may have been, in milliseconds
 */
export async function isPolled(
  client: Server,
  queue: string,
  kind: keyof typeof queueTypes,
  recent = recentMilliseconds,
): Promise<boolean> {
  const isRecent = (time: Parameters<typeof optionalTsToDate>[0]) => {
    const at = optionalTsToDate(time)?.getTime();
    return at === undefined || Date.now() - at < recent;
  };
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: queue },
    taskQueueType: queueTypes[kind],
  });
  if ((pollers ?? []).some(({ lastAccessTime }) => isRecent(lastAccessTime))) return true;
  if (kind === 'workflow') return false;
  const workers = await workersOf(client, queue);
  return workers.some(({ status, heartbeatTime }) => status === running && isRecent(heartbeatTime));
}

async function workersOf({ workflowService, options }: Server, queue: string) {
  try {
    const query = `TaskQueue = ${JSON.stringify(queue)}`;
    const { workersInfo } = await workflowService.listWorkers({ namespace: options.namespace, pageSize, query });
    return (workersInfo ?? []).flatMap(({ workerHeartbeat }) =>
      workerHeartbeat?.taskQueue === queue ? [workerHeartbeat] : [],
    );
  } catch (error) {
    // An older server, or one that does not tell this client: its pollers are all that is known.
    if (isGrpcServiceError(error)) return [];
    throw error;
  }
}
