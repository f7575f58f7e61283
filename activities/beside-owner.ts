/** Activities beside a run's owner ask the server whether it works. */
import { Context } from '@temporalio/activity';
import type { WorkerSettings } from '../src/core/worker-settings.ts';
import { type NamedRun, namedReference } from '../src/round/named-run.ts';
import { openOwnerPlace } from '../src/round/owner/owner-place.ts';
import { type SeenOwner, seeOwner } from '../src/round/owner/seen-owner.ts';
import { isRunning } from '../src/round/owner/temporal-executions.ts';

/** Who has the run that is named. @throws InputError when it may not be touched */
export async function seenOwnerOf(named: NamedRun, access: WorkerSettings): Promise<SeenOwner> {
  const place = await openOwnerPlace(await namedReference(named, access), { access });
  return seeOwner(place, (owner) => isRunning(Context.current().client.workflowService, owner));
}
