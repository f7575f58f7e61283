/**
 * An activity takes its run for the workflow that it belongs to, and asks the server which execution of that is the current one.
 */
import { Context } from '@temporalio/activity';
import type { WorkerSettings } from '../src/core/worker-settings.ts';
import { claimRun } from '../src/round/owner/claim.ts';
import type { WorkflowOwner } from '../src/round/owner/owner.ts';
import { openOwnerPlace } from '../src/round/owner/owner-place.ts';
import { clusterOf, isCurrent, isRunning } from '../src/round/owner/temporal-executions.ts';
import type { OwnerReference } from '../workflows/owner-reference.ts';

interface OwnClaim {
  /** Path of the run's folder, or its URI. */
  runDirectory: string;
  owner: OwnerReference;
  /** Whether the workflow starts on the run with this activity, and may follow an owner that has ended. */
  startsAnew?: boolean;
  takeover?: boolean;
}

/**
 * @returns the epoch of the workflow's ownership; undefined where there is no such run
 * @throws NotOwner
 */
export async function claimForWorkflow(
  { runDirectory, owner, startsAnew = false, takeover = false }: OwnClaim,
  access: WorkerSettings,
): Promise<number | undefined> {
  const place = await openOwnerPlace(runDirectory, { access, starts: startsAnew });
  if (place === undefined) return undefined;
  const { client, info } = Context.current();
  const { workflowService } = client;
  const claimant: WorkflowOwner = {
    kind: 'workflow',
    cluster: await clusterOf(workflowService),
    namespace: info.namespace,
    ...owner,
  };
  return claimRun(place, {
    owner: claimant,
    startsAnew,
    takeover,
    isCurrent: () => isCurrent(workflowService, claimant),
    isRunning: (other) => isRunning(workflowService, other),
  });
}
