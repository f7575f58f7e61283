/**
 * What the history of a workflow says: how large it is, and when each shard of a step ran.
 */
import type { Client, WorkflowHandle } from '@temporalio/client';

/** Events, and the bytes of the largest payload, of the longest execution of a workflow. */
export async function examineHistories(
  client: Client,
  workflowId: string,
): Promise<{ executions: number; events: number; largestPayload: number }> {
  const result = { executions: 0, events: 0, largestPayload: 0 };
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    result.executions += 1;
    result.events = Math.max(result.events, events?.length ?? 0);
    for (const event of events ?? []) result.largestPayload = Math.max(result.largestPayload, largestPayload(event));
  }
  return result;
}

function largestPayload(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0;
  const own = 'data' in value && value.data instanceof Uint8Array ? value.data.length : 0;
  return Math.max(own, ...Object.values(value).map(largestPayload));
}

export interface ShardTimes {
  /** The worker's identity: `<pid>@<host>`. */
  worker: string;
  /** Milliseconds since 1970. */
  scheduled: number;
  started: number;
  done: number;
}

/**
 * From a round's history, in the order in which the shards were done; of a shard that was retried, the last attempt.
 *
 * @param activity such as `evaluateShard`
 */
export function shardTimes(
  { events }: Awaited<ReturnType<WorkflowHandle['fetchHistory']>>,
  activity: string,
): ShardTimes[] {
  const scheduled = new Map<string, number>();
  const started = new Map<string, { at: number; worker: string; scheduledId: string }>();
  const times: ShardTimes[] = [];
  for (const event of events ?? []) {
    const at = Number(event.eventTime?.seconds ?? 0) * 1000 + (event.eventTime?.nanos ?? 0) / 1e6;
    const id = String(event.eventId);
    if (event.activityTaskScheduledEventAttributes?.activityType?.name === activity) scheduled.set(id, at);
    const start = event.activityTaskStartedEventAttributes;
    if (start) started.set(id, { at, worker: start.identity ?? '', scheduledId: String(start.scheduledEventId) });
    const end = event.activityTaskCompletedEventAttributes;
    const attempt = started.get(String(end?.startedEventId));
    const scheduledAt = attempt && scheduled.get(attempt.scheduledId);
    if (attempt === undefined || scheduledAt === undefined) continue;
    times.push({ worker: attempt.worker, scheduled: scheduledAt, started: attempt.at, done: at });
  }
  return times;
}
