/**
 * Removes of a run what its config does not keep: `retention`. What is removed is made again when it is needed, or of no use
 * any more. Adapters, data, answers, scores and reports stay.
 */
import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { retentionSchema } from '../../config/retention-schema.ts';
import { configRoot } from '../../core/access.ts';
import { requireFence } from '../../core/fence.ts';
import { joinInside } from '../../core/inside.ts';
import { readManifest } from '../../core/manifest.ts';
import { type Pruned, writePruned } from '../../core/pruned.ts';
import { withLock } from '../../core/with-lock.ts';
import type { OpenRun } from '../open-run.ts';
import { openOwnerPlace } from '../owner/owner-place.ts';
import { isOwnerAsSeen } from '../owner/seen-owner.ts';
import { keptRounds, roundsOf } from './kept-rounds.ts';
import { type Need, needsOf, otherConfigs } from './needed-by-others.ts';
import { planOnDisk, roundsOnDisk, unfinishedRounds } from './plan-on-disk.ts';
import type { GuardedPrune, PruneOptions } from './prune-options.ts';
import { type PruneOutcome, type Removal, sumsOf } from './removals.ts';

/**
 * Prunes a run that is open. What a round without a decision, a step under way or another run needs stays. Beside an owner at
 * work, the newest round and all that are not finished stay whole, and once somebody takes the run over, nothing more goes.
 * Prunes of one run wait for each other.
 *
 * @throws InputError for another run whose config can't be read: nobody knows what it needs of this one
 */
export async function prune(open: OpenRun, options: PruneOptions = {}): Promise<PruneOutcome> {
  const { run, signal, access } = open;
  const { beside } = options;
  const place = beside && (await openOwnerPlace(run.stored?.uri ?? run.root, { access }));
  const goesOn = async () => {
    signal.throwIfAborted();
    await requireFence();
    return beside === undefined || isOwnerAsSeen(place, beside);
  };
  if (run.stored !== undefined) {
    const { pruneStored } = await import('./prune-stored.ts');
    return pruneStored(open, run.stored.uri, { ...options, goesOn });
  }
  return withLock(join(run.root, '.prune.lock'), () => pruneOnDisk(open, { ...options, goesOn }), { signal });
}

async function pruneOnDisk(open: OpenRun, options: GuardedPrune): Promise<PruneOutcome> {
  const { config, run, access } = open;
  const { root } = run;
  const { dryRun = false, retention, beside, goesOn, now = new Date() } = options;
  const rounds = await roundsOf(
    open,
    await roundsOnDisk(root),
    await unfinishedRounds(root),
    beside?.works !== undefined,
  );
  const kept = await keptRounds(open, retention ?? config.retention ?? retentionSchema.parse({}), rounds);
  const needs = await needsOf(root, await otherConfigs(root), configRoot(access));
  const stays = { kept: new Set(kept.map(({ round }) => round)), untouched: rounds.untouched, needs };
  const planned = await planOnDisk(root, stays, now.getTime());
  const removals: Removal[] = dryRun ? planned : [];
  let interrupted = false;
  for (const removal of dryRun ? [] : planned) {
    interrupted = !(await goesOn());
    if (interrupted) break;
    await remove(root, removal, now);
    removals.push(removal);
  }
  return {
    run: basename(root),
    rounds: rounds.all.length,
    dryRun,
    kept,
    needed: uniqueNeeds(needs),
    ...sumsOf(removals),
    ...(beside?.works !== undefined && { owner: beside.works }),
    ...(interrupted && { interrupted }),
  };
}

async function remove(root: string, { kind, folder, files }: Removal, now: Date): Promise<void> {
  const directory = folder === '' ? root : joinInside(root, folder);
  // The record is there before the first file is gone: a killed prune leaves a step that says what it lacks.
  if (kind === 'model') {
    const gone = await outputsAmong(directory, Object.keys(files));
    await writePruned(directory, gone, now);
  }
  for (const file of Object.keys(files)) {
    const path = joinInside(directory, file);
    await rm(path, { force: true });
    if (kind !== 'model') await removeEmptyFolders(dirname(path), directory);
  }
}

async function outputsAmong(directory: string, files: readonly string[]): Promise<Pruned['files']> {
  const { outputs = {} } = (await readManifest(directory)) ?? {};
  const gone: Pruned['files'] = {};
  for (const file of files) {
    const sha256 = outputs[file];
    if (sha256 !== undefined) gone[file] = { sha256, size: (await stat(joinInside(directory, file))).size };
  }
  return gone;
}

/** Upwards, as far as folders are empty; the last one stays. */
async function removeEmptyFolders(folder: string, last: string): Promise<void> {
  for (let place = folder; place !== last && place.startsWith(last); place = dirname(place)) {
    if ((await readdir(place).catch(() => ['?'])).length > 0) return;
    await rmdir(place).catch(() => undefined);
  }
}

/** One a run and folder. */
export function uniqueNeeds(needs: readonly Need[]): Need[] {
  const seen = new Map(needs.map((need) => [`${need.by}\0${need.path}`, need]));
  return [...seen.values()];
}
