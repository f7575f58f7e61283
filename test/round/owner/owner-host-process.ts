/** A host of a fleet, for tests: does one order a line, on a run in a store, with a disk of its own. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { withFence } from '../../../src/core/fence.ts';
import { withStoredRun } from '../../../src/core/remote/stored-run.ts';
import { claimRun } from '../../../src/round/owner/claim.ts';
import type { WorkflowOwner } from '../../../src/round/owner/owner.ts';
import { type OwnerPlace, openOwnerPlace } from '../../../src/round/owner/owner-place.ts';
import { never, rules, step } from '../../core/remote/example-program.ts';

export type Order =
  | { do: 'claim'; owner: WorkflowOwner; takeover?: boolean }
  | { do: 'commit'; text: string }
  | { do: 'read' };

export interface Answer {
  epoch?: number;
  /** Of the step's small file, as the store has it. */
  text?: string;
  problem?: string;
}

const uri = process.argv[2] as string;
const disk = await mkdtemp(join(tmpdir(), 'dataengine-host-'));
const places = { runsDirectory: join(disk, 'runs'), cacheDirectory: join(disk, 'cache') };
const folder = 'round-0/merged';
let epoch = 0;

async function obey(order: Order): Promise<Answer> {
  const place = (await openOwnerPlace(uri, { access: undefined, starts: true })) as OwnerPlace;
  if (order.do === 'claim') {
    epoch = await claimRun(place, {
      owner: order.owner,
      startsAnew: true,
      takeover: order.takeover ?? false,
      isCurrent: async () => true,
      isRunning: async () => true,
    });
    return { epoch };
  }
  const owns = order.do === 'commit' ? [folder] : [];
  const options = { rules, signal: never, starts: true, owns: async () => owns.map((one) => join(root, one)) };
  const root = join(places.runsDirectory, 'demo');
  const fence = order.do === 'commit' ? place.fence(epoch) : undefined;
  await withFence(fence, () =>
    withStoredRun(
      uri,
      options,
      async (run) => {
        if (order.do === 'commit') await step(run, order.text);
        else await run.stored?.download(join(run.root, folder));
      },
      places,
    ),
  );
  return { text: await readFile(join(root, folder, 'config.json'), 'utf8') };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await obey(JSON.parse(line) as Order).catch(({ message }: Error): Answer => ({ problem: message }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await rm(disk, { recursive: true, force: true });
