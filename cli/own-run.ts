/** Steps by hand own their run while they work, as workflows do. */
import type { Command } from 'commander';
import type { Config } from '../src/config/schema.ts';
import type { WorkflowOwner } from '../src/round/owner/owner.ts';
import { connectClient } from './temporal-client.ts';

export interface TakeoverOption {
  takeover?: boolean;
}

/** Adds `--takeover`. */
export function addTakeoverOption(command: Command): Command {
  return command.option('--takeover', 'take the run over from a workflow, or another step, that works on it', false);
}

/**
 * Takes the run for this process, and gives it back at the end.
 *
 * @param command as it is typed, for whoever wants the run meanwhile
 * @param work is given the epoch of the ownership
 * @throws NotOwner while another owner works
 */
export async function ownRun<R>(
  { config, runName }: { config: Config; runName: string },
  command: string,
  { takeover = false }: TakeoverOption,
  work: (epoch: number | undefined) => Promise<R>,
): Promise<R> {
  const { checkNewRun, newRunReference } = await import('../src/round/open-run.ts');
  const { openOwnerPlace } = await import('../src/round/owner/owner-place.ts');
  const { claimRun, releaseRun } = await import('../src/round/owner/claim.ts');
  const { thisProcess } = await import('../src/round/owner/owner.ts');
  const { extensions } = await import('../workers/extensions.ts');
  await checkNewRun(config, { extensions });
  const place = await openOwnerPlace(newRunReference(config, runName), { access: undefined, starts: true });
  if (place === undefined) return work(undefined);
  const epoch = await claimRun(place, {
    owner: await thisProcess(command),
    startsAnew: true,
    takeover,
    isCurrent: async () => true,
    isRunning: isRunningWorkflow,
  });
  try {
    return await work(epoch);
  } finally {
    await releaseRun(place, epoch);
  }
}

/** A server that can't be reached can't say that the workflow has ended. */
export async function isRunningWorkflow(owner: WorkflowOwner): Promise<boolean> {
  const { isRunning } = await import('../src/round/owner/temporal-executions.ts');
  const { ServerUnreachable } = await import('../workers/connection.ts');
  try {
    const client = await connectClient(undefined, '3 seconds');
    try {
      return await isRunning(client.workflowService, owner);
    } finally {
      await client.connection.close();
    }
  } catch (error) {
    if (error instanceof ServerUnreachable) return true;
    throw error;
  }
}
