/** Work on a run in an object store: what it needs is downloaded before it, what it makes is uploaded after it. */
import { readFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { InputError } from '../input-error.ts';
import { openRunDirectory, type RunDirectory } from '../run-directory.ts';
import { commitRunFiles } from './commit-run-files.ts';
import { downloadAllFolders, downloadFolder, withoutWeights } from './download-folder.ts';
import { readRecord } from './folder-record.ts';
import { openObjectCache } from './object-cache.ts';
import type { ObjectStore } from './object-store.ts';
import { type OwnFolder, ownFolder } from './own-folder.ts';
import { claimCopy } from './run-claim.ts';
import { type CopyOfRun, folderName, recordKey } from './run-copy.ts';
import { finishedFolders, type RunRules } from './run-files.ts';
import { createS3Client, openS3Store } from './s3-store.ts';
import { splitRunUri } from './store-uri.ts';
import { type SyncedFiles, syncedFiles } from './synced-files.ts';

/** Between uploads of what the work has made so far. */
const saveMilliseconds = 2000;
/** A worker that stops has a minute, of which its trainer may take ten seconds. */
const keepMilliseconds = 40_000;
const contentTypes: Record<string, string> = { '.html': 'text/html; charset=utf-8' };

/** Where runs and caches are on this machine: never by what is in the store, which others write. */
interface Places {
  runsDirectory: string;
  cacheDirectory: string;
}

export interface StoredWork {
  rules: RunRules;
  /** The folders of steps that the work writes. When it is called, the files of the run itself are on this disk. */
  owns?: (run: RunDirectory) => Promise<readonly string[]>;
  /** Whether the run may be new to the store. It then gets the steps of a run of that name that was on this disk only. */
  starts?: boolean;
  signal: AbortSignal;
  /** Called while a large file is transferred. */
  onTransfer?: CopyOfRun['onTransfer'];
}

/**
 * Works on a run. Its folder on this disk gets the files of the run itself, and the folders of the steps that the work
 * writes; other steps' folders are downloaded when the work asks for them (`RunDirectory.stored`). Every two seconds
 * progress is uploaded. When another attempt takes over one of the folders, the work is stopped. When another attempt has
 * finished the same step in the meantime, its result is downloaded, and the work runs again and finds it.
 *
 * @param uri of the run
 * @throws InputError when there is no such run, or a run of this disk has its name; StepTakenElsewhere; what the work throws
 */
export async function withStoredRun<R>(
  uri: string,
  { owns, starts = false, ...options }: StoredWork,
  work: (run: RunDirectory, signal: AbortSignal) => Promise<R>,
  places: Places,
): Promise<R> {
  const { signal, rules } = options;
  const copy = openCopy(uri, options, places);
  const { store, key } = copy;
  await claimRun(copy, starts);
  const known = await downloadFolder(copy, '', rules.isReadBySteps);
  // Until now the run was on this disk only.
  if (known === undefined) await adoptSteps(copy);
  const synced = await syncRunFolders(copy);
  const owned = new Map<string, OwnFolder>();
  const run: RunDirectory = {
    root: copy.root,
    stored: {
      uri: `${store.uri}/${key}`,
      async download(folder, { weights = false } = {}) {
        const name = folderName(copy, folder);
        if (!owned.has(name)) await downloadFolder(copy, name, weights ? undefined : withoutWeights);
      },
      downloadAll: (folder) => downloadAllFolders(copy, folderName(copy, folder), withoutWeights),
      sync: synced.sync,
      async publish(file) {
        const target = `${key}/${folderName(copy, file)}`;
        await store.write(target, await readFile(file), { contentType: contentTypes[extname(file)] });
        return `${store.uri}/${target}`;
      },
    },
  };
  for (const folder of (await owns?.(run)) ?? []) {
    const name = folderName(copy, folder);
    owned.set(name, await ownFolder(copy, name));
  }
  const saving = saveMeanwhile(async () => {
    await synced.upload();
    for (const folder of owned.values()) await folder.save();
  });
  const stopped = AbortSignal.any([signal, saving.failed]);
  try {
    const outcome = await work(run, stopped);
    await saving.stop();
    let takenFromAnother = false;
    for (const folder of owned.values())
      takenFromAnother = (await folder.commit()).takenFromAnother || takenFromAnother;
    await synced.upload();
    await commitRunFiles(copy);
    return takenFromAnother ? await work(run, signal) : outcome;
  } catch (error) {
    await saving.stop();
    // Keeps what another attempt can resume from, also when the worker stops. An error in this must not hide why the work
    // failed.
    copy.signal = AbortSignal.timeout(keepMilliseconds);
    await synced.upload().catch(() => undefined);
    if (!saving.failed.aborted) {
      await commitRunFiles(copy).catch(() => undefined);
      for (const folder of owned.values()) await folder.save({ always: true }).catch(() => undefined);
    }
    throw error;
  }
}

/** Uploads the steps that have finished on this disk: a run that continues in a store is built on them. */
async function adoptSteps(copy: CopyOfRun): Promise<void> {
  for (const folder of await finishedFolders(copy.root, copy.rules)) await (await ownFolder(copy, folder)).commit();
}

async function syncRunFolders(copy: CopyOfRun): Promise<SyncedFiles> {
  const synced = syncedFiles(copy);
  for (const folder of copy.rules.syncedFolders) await synced.sync(join(copy.root, folder));
  return synced;
}

function openCopy(
  uri: string,
  { rules, signal, onTransfer }: Pick<StoredWork, 'rules' | 'signal' | 'onTransfer'>,
  { runsDirectory, cacheDirectory }: Places,
): CopyOfRun {
  const { store: storeUri, run: name } = splitRunUri(uri);
  const store = openStore(storeUri, () => copy.signal);
  const cache = openObjectCache(store, join(resolve(cacheDirectory), 'objects'));
  const { root } = openRunDirectory(resolve(runsDirectory), name);
  const copy: CopyOfRun = { store, cache, key: `runs/${name}`, root, rules, signal, onTransfer };
  return copy;
}

/**
 * Makes the run's folder on this disk the copy of the run in the store.
 *
 * @throws InputError when the store has no such run and the work does not start it, or a run of this disk has its name
 */
async function claimRun(copy: CopyOfRun, starts: boolean): Promise<void> {
  const { store, key, root } = copy;
  const isStored = (await readRecord(store, recordKey(copy, ''))) !== undefined;
  if (!isStored && !starts) {
    throw new InputError({
      file: `${store.uri}/${key}`,
      problem: 'there is no such run in the store',
      remedy: 'Start it with `dataengine run`, or correct the name',
    });
  }
  await claimCopy(root, `${store.uri}/${key}`, !isStored);
}

/**
 * Downloads all of a run as it is in the store now: for people, and for programs that read a run from disk.
 *
 * @param options.weights model files too
 * @returns the run's folder
 */
export async function pullRun(
  uri: string,
  { weights, ...options }: Omit<StoredWork, 'owns' | 'starts'> & { weights: boolean },
  places: Places,
): Promise<string> {
  const copy = openCopy(uri, options, places);
  await claimRun(copy, false);
  await downloadFolder(copy, '');
  await downloadAllFolders(copy, '', weights ? () => true : withoutWeights);
  await syncRunFolders(copy);
  return copy.root;
}

/**
 * Saves every two seconds, never twice at the same time. What can't be saved now is saved later; the work is stopped only
 * when another attempt, or another owner of the run, has taken over.
 */
function saveMeanwhile(save: () => Promise<void>): { failed: AbortSignal; stop: () => Promise<void> } {
  const failed = new AbortController();
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= save()
      .catch((error: unknown) => {
        if (['StepTakenElsewhere', 'NotOwner'].includes((error as Error).name)) failed.abort(error);
      })
      .finally(() => {
        running = undefined;
      });
  }, saveMilliseconds);
  return {
    failed: failed.signal,
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

let client: S3Client | undefined;

/**
 * Opens a store. All stores of a process have one client, which keeps its connections.
 *
 * @param signal called before every attempt at a request; once its result is aborted, there are no further attempts
 */
export function openStore(uri: string, signal?: () => AbortSignal | undefined): ObjectStore {
  client ??= createS3Client();
  return openS3Store(uri, client, signal);
}
