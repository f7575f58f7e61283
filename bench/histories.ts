/**
 * How large the histories of workflows are.
 */
import type { Client } from '@temporalio/client';

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
