/** Who works on a run, for work beside the owner: such as removing what the run does not keep. It takes the run from nobody. */
import { type IsRunning, works } from './claim.ts';
import { describeOwner } from './owner.ts';
import type { OwnerPlace } from './owner-place.ts';

/** A plain value: what one process has seen, another one heeds. */
export interface SeenOwner {
  /** 0 for a run that nobody has owned. */
  epoch: number;
  /** Who works on the run, in words, or can't be asked whether they do. Absent where nobody does. */
  works?: string;
}

/** Looks who has a run, and whether they work. @param place undefined where there is no such run */
export async function seeOwner(place: OwnerPlace | undefined, isRunning: IsRunning): Promise<SeenOwner> {
  const record = await place?.read();
  if (place === undefined || record === undefined) return { epoch: 0 };
  const { epoch, owner } = record;
  if (owner.kind === 'nobody' || !(await works(place, owner, isRunning))) return { epoch };
  return { epoch, works: describeOwner(owner) };
}

/** Whether nobody has taken the run since. */
export async function isOwnerAsSeen(place: OwnerPlace | undefined, { epoch }: SeenOwner): Promise<boolean> {
  return ((await place?.read())?.epoch ?? 0) === epoch;
}
