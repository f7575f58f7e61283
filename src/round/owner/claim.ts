/**
 * Takes a run, before anything is written into it.
 */
import { hasEnded } from './local-servers.ts';
import {
  covers,
  describeOwner,
  isRunningProcess,
  isSameWorkflow,
  NotOwner,
  type RunOwner,
  type WorkflowOwner,
} from './owner.ts';
import type { OwnerPlace } from './owner-place.ts';

export interface Claim {
  owner: RunOwner;
  /** Whether the work may follow another owner: it has read the config anew. */
  startsAnew: boolean;
  /** Whether it may even while that owner works. */
  takeover: boolean;
  /** Whether the claimant is an execution that the server still runs. */
  isCurrent(): Promise<boolean>;
  isRunning: IsRunning;
}

/** Whether another workflow runs: its own cluster says so, and one that can't be asked does. */
export type IsRunning = (owner: WorkflowOwner) => Promise<boolean>;

/**
 * Takes a run for a claimant, unless it has it.
 *
 * @returns its epoch
 * @throws NotOwner, which no retry helps: the claimant is an old execution, or another owner works
 */
export async function claimRun(place: OwnerPlace, claim: Claim): Promise<number> {
  for (;;) {
    const before = await place.read();
    if (before !== undefined && covers(before.owner, claim.owner)) return before.epoch;
    await requireClaim(place, before?.owner, claim);
    const epoch = (before?.epoch ?? 0) + 1;
    if (await place.claim(epoch, claim.owner)) return epoch;
    // Another claim was faster, of the same execution perhaps.
  }
}

async function requireClaim(place: OwnerPlace, before: RunOwner | undefined, claim: Claim): Promise<void> {
  const { owner, startsAnew, takeover } = claim;
  if (owner.kind === 'workflow' && !(await claim.isCurrent())) {
    throw new NotOwner({
      file: place.file,
      problem: `this work is of an execution of ${owner.workflowId} that does not run any more: it was reset, or has ended`,
      remedy: 'Nothing is to be done where a later execution runs',
    });
  }
  if (before === undefined || isSameWorkflow(before, owner)) return;
  if (!startsAnew) {
    throw new NotOwner({
      file: place.file,
      problem: `the run was taken over by ${describeOwner(before)}`,
      remedy: 'Start a workflow on the run to continue it',
    });
  }
  if (takeover || before.kind === 'nobody') return;
  if (!(await works(place, before, claim.isRunning))) return;
  throw new NotOwner({
    file: place.file,
    problem: `${describeOwner(before)} works on this run, or can't be asked whether it does`,
    remedy:
      'Wait until it has ended, give yours a run of its own (`run`), or take the run over: `--takeover`, or "takeover": true in a ' +
      "workflow's input",
  });
}

/** Whether an owner works on its run, or can't be asked whether it does. */
export async function works(
  { root }: Pick<OwnerPlace, 'root'>,
  owner: Exclude<RunOwner, { kind: 'nobody' }>,
  isRunning: IsRunning,
): Promise<boolean> {
  if (owner.kind === 'process') return isRunningProcess(owner);
  if (root !== undefined && (await hasEnded(root, owner.cluster))) return false;
  return isRunning(owner);
}

/** Gives a run back, when a step by hand has ended: one on another host could not see that. */
export async function releaseRun(place: OwnerPlace, epoch: number): Promise<void> {
  await place.claim(epoch + 1, { kind: 'nobody' });
}
