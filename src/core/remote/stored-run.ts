/** Work on a run that lies in a store: what it needs comes to this disk before, what it made goes to the store after. */
import { readFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { InputError } from '../input-error.ts';
import { parseJson } from '../read-json.ts';
import type { RunDirectory } from '../run-directory.ts';
import { bringAllFolders, bringFolder, withoutWeights } from './bring-folder.ts';
import { commitRunFiles } from './commit-run-files.ts';
import { readRecord, recordName } from './folder-record.ts';
import { openObjectCache } from './object-cache.ts';
import type { ObjectStore } from './object-store.ts';
import { type OwnFolder, ownFolder } from './own-folder.ts';
import { type CopyOfRun, folderName } from './run-copy.ts';
import { finishedFolders } from './run-files.ts';
import { createS3Client } from './s3-client.ts';
import { openS3Store } from './s3-store.ts';
import { shareFiles } from './shared-files.ts';

/** Between looks at what the work has made, to be sent while it goes on. */
const saveMilliseconds = 2000;
/** A worker that is told to stop has a minute, of which its trainer may take ten seconds. */
const keepMilliseconds = 40_000;
const contentTypes: Record<string, string> = { '.html': 'text/html; charset=utf-8' };

/** Of the frozen config, what says where on this machine things are. */
const placesSchema = z.looseObject({ runsDirectory: z.string(), cacheDirectory: z.string() });
type Places = z.output<typeof placesSchema>;

export interface StoredWork {
  /** Folders of the steps that the work does. The files of the run that are no step's are on this disk when it is called. */
  owns?: (run: RunDirectory) => Promise<readonly string[]>;
  signal: AbortSignal;
  /** A large file under way. */
  onTransfer?: CopyOfRun['onTransfer'];
}

/** `s3://bucket/prefix/runs/<run>` */
export function runUri(store: string, run: string): string {
  return `${store.replace(/\/+$/, '')}/runs/${run}`;
}

function splitRunUri(uri: string): { store: string; run: string } {
  const [, store, run] = /^(s3:\/\/.+)\/runs\/([^/]+)$/.exec(uri) ?? [];
  if (store !== undefined && run !== undefined) return { store, run };
  throw new InputError({
    file: uri,
    problem: 'is no run in a store',
    remedy: 'Write s3://bucket/prefix/runs/<run>, as `dataengine watch` shows it',
  });
}

/**
 * Does work on a run. Its folder on this disk has the files of the run that are no step's, and the steps' own folders
 * that the work does; other steps' folders come when the work asks for them (`RunDirectory.stored`). While it goes on,
 * progress is sent every two seconds; when another attempt takes one of its folders over, it is stopped. A step that
 * another attempt finished meanwhile is taken from there: the work is done again and finds it.
 *
 * @param uri of the run
 * @param places where on this machine runs and caches are; default: by the run's frozen config
 * @throws InputError when there is no such run; StepTakenElsewhere; what the work throws
 */
export async function withStoredRun<R>(
  uri: string,
  { owns, signal, onTransfer }: StoredWork,
  work: (run: RunDirectory, signal: AbortSignal) => Promise<R>,
  places?: Places,
): Promise<R> {
  const copy = await openCopy(uri, { signal, onTransfer }, places);
  const { store, key } = copy;
  const known = await bringFolder(copy, '', isReadBySteps);
  // A run that was on this disk alone until now.
  if (known === undefined) await adoptSteps(copy);
  const shared = shareFiles(copy);
  await shared.share(join(copy.root, 'ledger'));
  const owned = new Map<string, OwnFolder>();
  const run: RunDirectory = {
    root: copy.root,
    stored: {
      uri: `${store.uri}/${key}`,
      async bring(folder, { weights = false } = {}) {
        const name = folderName(copy, folder);
        if (!owned.has(name)) await bringFolder(copy, name, weights ? undefined : withoutWeights);
      },
      bringAll: (folder) => bringAllFolders(copy, folderName(copy, folder), withoutWeights),
      share: shared.share,
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
    await shared.send();
    for (const folder of owned.values()) await folder.save();
  });
  const stopped = AbortSignal.any([signal, saving.failed]);
  try {
    const outcome = await work(run, stopped);
    await saving.stop();
    let takenFromAnother = false;
    for (const folder of owned.values())
      takenFromAnother = (await folder.commit()).takenFromAnother || takenFromAnother;
    await shared.send();
    await commitRunFiles(copy);
    return takenFromAnother ? await work(run, signal) : outcome;
  } catch (error) {
    await saving.stop();
    // What can be gone on from is worth keeping, also by a worker that is told to stop; that it could not be kept must
    // not hide why the work failed.
    copy.signal = AbortSignal.timeout(keepMilliseconds);
    await shared.send().catch(() => undefined);
    if (!saving.failed.aborted) {
      await commitRunFiles(copy).catch(() => undefined);
      for (const folder of owned.values()) await folder.save({ always: true }).catch(() => undefined);
    }
    throw error;
  }
}

/** Sends the steps that are finished on this disk: a run that goes on in a store is built on them. */
async function adoptSteps(copy: CopyOfRun): Promise<void> {
  for (const folder of await finishedFolders(copy.root)) await (await ownFolder(copy, folder)).commit();
}

async function openCopy(
  uri: string,
  { signal, onTransfer }: Pick<StoredWork, 'signal' | 'onTransfer'>,
  places?: Places,
): Promise<CopyOfRun> {
  const { store: storeUri, run: name } = splitRunUri(uri);
  const key = `runs/${name}`;
  const store = openStore(storeUri, () => copy.signal);
  const { runsDirectory, cacheDirectory } =
    places ??
    (await readPlaces(
      openStore(storeUri, () => signal),
      key,
    ));
  const cache = openObjectCache(store, join(resolve(cacheDirectory), 'objects'));
  const copy: CopyOfRun = { store, cache, key, root: join(resolve(runsDirectory), name), signal, onTransfer };
  return copy;
}

/**
 * Has all of a run on this disk, as it is in the store now: for people, and for what reads a run from disk.
 *
 * @param options.weights model files too
 * @returns the run's folder
 */
export async function pullRun(
  uri: string,
  { weights, ...options }: Pick<StoredWork, 'signal' | 'onTransfer'> & { weights: boolean },
  places?: Places,
): Promise<string> {
  const copy = await openCopy(uri, options, places);
  await bringFolder(copy, '');
  await bringAllFolders(copy, '', weights ? () => true : withoutWeights);
  await shareFiles(copy).share(join(copy.root, 'ledger'));
  return copy.root;
}

/**
 * Saves every two seconds, one time after another. What can't be saved now is saved later: only when another attempt has
 * taken over is the work told to stop.
 */
function saveMeanwhile(save: () => Promise<void>): { failed: AbortSignal; stop: () => Promise<void> } {
  const failed = new AbortController();
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= save()
      .catch((error: unknown) => {
        if ((error as Error).name === 'StepTakenElsewhere') failed.abort(error);
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

/** Kept versions and the report are read by people. */
function isReadBySteps(path: string): boolean {
  return !path.startsWith('dataset-versions/objects/') && path !== 'report.html';
}

let client: S3Client | undefined;

/**
 * Opens a store. All of a process have one client: it keeps its connections.
 *
 * @param signal asked whenever something is tried: when it is aborted, nothing is tried any more
 */
export function openStore(uri: string, signal?: () => AbortSignal | undefined): ObjectStore {
  client ??= createS3Client();
  return openS3Store(uri, client, signal);
}

/** The run's frozen config says where its folder is on each machine; relative paths are from where a worker was started. */
async function readPlaces(store: ObjectStore, key: string): Promise<Places> {
  const stored = await readRecord(store, `${key}/${recordName}`);
  const config = stored?.record.files['config.json'];
  const object = config && (await store.read(`objects/${config.sha256}`));
  if (object !== undefined) return parseJson(object.body.toString(), `${store.uri}/${key}/config.json`, placesSchema);
  throw new InputError({
    file: `${store.uri}/${key}`,
    problem: 'there is no such run in the store',
    remedy: 'Begin it with `dataengine run`, or mend the name',
  });
}
