/** Who owns a run: one workflow, or one process of a step by hand. */
import { hostname } from 'node:os';
import { z } from 'zod';
import { InputError } from '../../core/input-error.ts';
import { processStartTime } from '../../core/process-identity.ts';

const execution = z.object({ workflowId: z.string(), runId: z.string() });

const workflowOwner = execution.extend({
  kind: z.literal('workflow'),
  cluster: z.string(),
  namespace: z.string(),
  /** The execution of the round; absent before the first, and for what the run does itself. */
  round: execution.optional(),
});
const processOwner = z.object({
  kind: z.literal('process'),
  host: z.string(),
  pid: z.int().positive(),
  /** With the id of the machine's boot, where there is one: no later process shares it. */
  startTime: z.string(),
  command: z.string(),
});
/** A step by hand has ended. */
const nobody = z.object({ kind: z.literal('nobody') });

export type WorkflowOwner = z.output<typeof workflowOwner>;
export type ProcessOwner = z.output<typeof processOwner>;
export const ownerSchema = z.discriminatedUnion('kind', [workflowOwner, processOwner, nobody]);
export type RunOwner = z.output<typeof ownerSchema>;

/** This process, as the owner of a run. */
export async function thisProcess(command: string): Promise<ProcessOwner> {
  const startTime = (await processStartTime(process.pid)) ?? 'unknown';
  return { kind: 'process', host: hostname(), pid: process.pid, startTime, command };
}

/** Whether two owners are executions of one workflow. */
export function isSameWorkflow(one: RunOwner, other: RunOwner): boolean {
  if (one.kind !== 'workflow' || other.kind !== 'workflow') return false;
  const { cluster, namespace, workflowId } = other;
  return one.cluster === cluster && one.namespace === namespace && one.workflowId === workflowId;
}

/** Whether the owner's own work comes with this claim: the same execution, and the same of the round where it names one. */
export function covers(owner: RunOwner, claimant: RunOwner): boolean {
  if (owner.kind === 'process' && claimant.kind === 'process') {
    return owner.host === claimant.host && owner.pid === claimant.pid && owner.startTime === claimant.startTime;
  }
  if (owner.kind !== 'workflow' || claimant.kind !== 'workflow' || !isSameWorkflow(owner, claimant)) return false;
  if (owner.runId !== claimant.runId) return false;
  return claimant.round === undefined || owner.round?.runId === claimant.round.runId;
}

/** Whether an owner still works; of a process on another host that is not known, so it does. */
export async function isRunningProcess({ host, pid, startTime }: ProcessOwner): Promise<boolean> {
  return host !== hostname() || (await processStartTime(pid)) === startTime;
}

export function describeOwner(owner: RunOwner): string {
  if (owner.kind === 'process') return `\`dataengine ${owner.command}\` (process ${owner.pid} on ${owner.host})`;
  if (owner.kind === 'nobody') return 'a step by hand that has ended';
  const { workflowId, namespace, cluster } = owner;
  return `the workflow ${workflowId} (namespace ${namespace}, cluster ${cluster})`;
}

/** The run has another owner. Whoever is told so must not go on: no retry helps. */
export class NotOwner extends InputError {
  override readonly name = 'NotOwner';
}
