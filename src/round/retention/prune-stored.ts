/** Prunes a run in a store: its records let go of files, and objects that nobody names are removed. */
import { basename } from 'node:path';
import { retentionSchema } from '../../config/retention-schema.ts';
import { manifestName } from '../../core/manifest.ts';
import { type Pruned, prunedName, prunedRecord } from '../../core/pruned.ts';
import type { ObjectStore } from '../../core/remote/object-store.ts';
import {
  leftovers,
  releaseFiles,
  removeReleased,
  type StoredFolder,
  storedFolders,
} from '../../core/remote/prune-run.ts';
import { openStore } from '../../core/remote/stored-run.ts';
import type { OpenRun } from '../open-run.ts';
import { isRemade } from '../store-rules.ts';
import { keptRounds, roundsOf } from './kept-rounds.ts';
import type { Need } from './needed-by-others.ts';
import { isUntouched } from './plan-on-disk.ts';
import type { GuardedPrune } from './prune-options.ts';
import { type PruneOutcome, type Removal, roundOf, sumsOf } from './removals.ts';

/** @param uri of the run */
export async function pruneStored(
  open: OpenRun,
  uri: string,
  { dryRun = false, retention, beside, goesOn, now = new Date() }: GuardedPrune,
): Promise<PruneOutcome> {
  const { config, run, signal } = open;
  const name = basename(uri);
  const store = openStore(uri.slice(0, -`/runs/${name}`.length), () => signal);
  const all = await storedFolders(store);
  const own = all.filter((one) => one.run === name);
  const numbers = [...new Set(own.flatMap(({ folder }) => roundOf(folder) ?? []))].sort((one, other) => one - other);
  const unfinished = new Set(
    own.filter(({ record }) => record.state === 'started').flatMap(({ folder }) => roundOf(folder) ?? []),
  );
  const rounds = await roundsOf({ config, run }, numbers, unfinished, beside?.works !== undefined);
  const kept = await keptRounds({ run }, retention ?? config.retention ?? retentionSchema.parse({}), rounds);
  const needs = await needsInStore(store, name, all);
  const { untouched } = rounds;
  const touched = own.filter(({ folder }) => !isUntouched(folder, { untouched, needs }));
  const removals: Removal[] = [];
  const keeps = new Set(kept.map(({ round }) => round));
  let interrupted = false;
  for (const folder of touched) {
    const round = roundOf(folder.folder);
    if (round === undefined || keeps.has(round) || folder.record.state !== 'finished') continue;
    const removal = prunable(folder);
    if (removal === undefined) continue;
    interrupted = !dryRun && !(await goesOn());
    if (interrupted) break;
    if (dryRun || (await release(store, folder, removal, now))) removals.push(removal);
  }
  interrupted ||= !dryRun && !(await goesOn());
  const left = interrupted ? {} : await leftovers(store, touched);
  if (Object.keys(left).length > 0) {
    removals.push({ kind: 'resume', folder: '', files: left });
    if (!dryRun) await store.remove(Object.keys(left));
  }
  const owner = interrupted ? 'another owner' : beside?.works;
  const gone = dryRun ? undefined : await removeReleased(store, name, now.getTime(), owner);
  const waiting = Object.values(gone?.waiting ?? {});
  return {
    run: name,
    rounds: numbers.length,
    dryRun,
    kept,
    needed: needs,
    ...sumsOf(removals),
    ...(beside?.works !== undefined && { owner: beside.works }),
    ...(interrupted && { interrupted }),
    ...(waiting.length > 0 && {
      waiting: {
        objects: waiting.length,
        bytes: waiting.reduce((sum, size) => sum + size, 0),
        why: gone?.why ?? '',
      },
    }),
  };
}

/** Mixtures and temporary files never get into a store. */
function prunable({ folder, record }: StoredFolder): Removal | undefined {
  const inFolder = Object.entries(record.files).map(
    ([path, { size }]) => [path.slice(folder.length + 1), size] as const,
  );
  const files = Object.fromEntries(inFolder.filter(([path]) => path !== manifestName && isRemade(folder, path)));
  return Object.keys(files).length === 0 ? undefined : { kind: 'model', folder, files };
}

async function release(
  store: ObjectStore,
  stored: StoredFolder,
  { folder, files }: Removal,
  now: Date,
): Promise<boolean> {
  const paths = Object.keys(files).map((file) => `${folder}/${file}`);
  const gone: Pruned['files'] = {};
  for (const file of Object.keys(files)) {
    const content = stored.record.files[`${folder}/${file}`];
    if (content !== undefined) gone[file] = content;
  }
  const text = `${JSON.stringify(prunedRecord(gone, now), null, 2)}\n`;
  return releaseFiles(store, stored, paths, { path: `${folder}/${prunedName}`, text });
}

/** What the configs of other runs of the store name of this one: a copy of it, wherever a machine has it. */
async function needsInStore(store: ObjectStore, name: string, all: readonly StoredFolder[]): Promise<Need[]> {
  const needs: Need[] = [];
  for (const { run, folder, record } of all) {
    const content = record.files['config.json'];
    if (run === name || folder !== '' || content === undefined) continue;
    const text = (await store.read(`objects/${content.sha256}`))?.body.toString() ?? '';
    const path = new RegExp(`(?:^|[/"])${name.replaceAll('.', '\\.')}/(round-\\d+(?:/[^/"]+)?)`, 'g');
    for (const [, found = ''] of text.matchAll(path)) needs.push({ by: run, path: found });
  }
  return needs;
}
