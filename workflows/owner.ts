/**
 * Whose work an activity does: the executions of the run and of the round are handed on as arguments. A reset gives new ones, and
 * what the old ones left behind is told apart by them.
 */
import { workflowInfo } from '@temporalio/workflow';
import type { OwnerReference } from './owner-reference.ts';

/** This execution. */
export function thisExecution(): { workflowId: string; runId: string } {
  const { workflowId, runId } = workflowInfo();
  return { workflowId, runId };
}

/** @param run the run's execution, where it has said so: a run of an earlier version has not */
export function ownerOfRound(run: OwnerReference | undefined): OwnerReference {
  const { parent } = workflowInfo();
  const round = thisExecution();
  const owner = run ?? (parent && { workflowId: parent.workflowId, runId: parent.runId });
  return owner === undefined ? round : { ...owner, round };
}
