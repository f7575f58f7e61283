/**
 * What a Temporal server knows of the workflows that own runs. Its service is given: this file knows only the calls.
 */
import type { WorkflowOwner } from './owner.ts';

/** The calls, as `client.workflowService` has them. */
export interface ExecutionService {
  getClusterInfo(request: object): Promise<{ clusterId?: string | null }>;
  describeWorkflowExecution(request: { namespace: string; execution: { workflowId: string } }): Promise<{
    workflowExecutionInfo?: { status?: number | null; execution?: { runId?: string | null } | null } | null;
  }>;
}

/** `WORKFLOW_EXECUTION_STATUS_RUNNING` of Temporal's API. */
const running = 1;
/** Of gRPC. */
const notFound = 5;

const clusters = new WeakMap<ExecutionService, string>();

/** The id of the server's cluster, which it has for good. */
export async function clusterOf(service: ExecutionService): Promise<string> {
  const known = clusters.get(service);
  if (known !== undefined) return known;
  const { clusterId } = await service.getClusterInfo({});
  const id = clusterId || 'unknown';
  clusters.set(service, id);
  return id;
}

/** Whether all executions that an owner names are those that the server runs now under their ids. */
export async function isCurrent(service: ExecutionService, owner: WorkflowOwner): Promise<boolean> {
  for (const { workflowId, runId } of [owner, ...(owner.round ? [owner.round] : [])]) {
    if ((await runningExecution(service, owner.namespace, workflowId)) !== runId) return false;
  }
  return true;
}

/** Whether a workflow runs, in whichever execution; one of another cluster does. One that its own cluster has forgotten does not. */
export async function isRunning(service: ExecutionService, owner: WorkflowOwner): Promise<boolean> {
  if ((await clusterOf(service)) !== owner.cluster) return true;
  return (await runningExecution(service, owner.namespace, owner.workflowId)) !== undefined;
}

async function runningExecution(
  service: ExecutionService,
  namespace: string,
  workflowId: string,
): Promise<string | undefined> {
  try {
    const { workflowExecutionInfo } = await service.describeWorkflowExecution({ namespace, execution: { workflowId } });
    if (workflowExecutionInfo?.status !== running) return undefined;
    return workflowExecutionInfo.execution?.runId ?? undefined;
  } catch (error) {
    if ((error as { code?: unknown }).code === notFound) return undefined;
    throw error;
  }
}
