/**
 * A run that lies in a store, and what this machine's disk has of it.
 *
 *   runs/<run>/<folder>/folder.json        what the store has of a step's folder; conditional writes make it a fence
 *   runs/<run>/<folder>/unfinished/<hash>  files that an interrupted attempt goes on from
 *   runs/<run>/folder.json                 the same for the files of the run that are no step's
 *   objects/<hash>                         the files of all runs, by content
 *
 * On the disk, `.store/` in the run's folder notes which record each folder is a copy of. While that is the newest, what
 * is on the disk is at least as new as what the store has, and stays; otherwise it is made the same as in the store.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, relative, sep } from 'node:path';
import limitConcurrency from 'p-limit';
import { z } from 'zod';
import { hashBytes, hashFile } from '../hash.ts';
import { inputsHashIn, manifestName, readManifest } from '../manifest.ts';
import { readJson } from '../read-json.ts';
import { writeJson } from '../write-file.ts';
import {
  type FolderRecord,
  type ReadRecord,
  type RecordedFiles,
  readRecord,
  recordName,
  writeRecord,
} from './folder-record.ts';
import type { ObjectCache } from './object-cache.ts';
import type { ObjectStore } from './object-store.ts';
import { copyFolder, factsOf, filesIn, filesOfTheRun, isKept, isProgress, isWeights } from './run-files.ts';
import { StoreError } from './store-error.ts';

/** Another attempt at a step began, or ended, while this one worked. */
export class StepTakenElsewhere extends StoreError {
  override readonly name = 'StepTakenElsewhere';
}

/** What a working copy is made of. */
export interface CopyOfRun {
  store: ObjectStore;
  cache: ObjectCache;
  /** Of the run in the store: `runs/<run>`. */
  key: string;
  /** The run's folder on this disk. */
  root: string;
  signal?: AbortSignal | undefined;
  /** Bytes of a transfer under way. */
  onTransfer?: ((transfer: { file: string; bytes: number; size: number }) => void) | undefined;
}

const transfersAtOnce = 6;
/** Larger files are looked for in the store before they are sent, and are sent in parts. */
const inOneBytes = 8 * 1024 * 1024;

const markSchema = z.object({
  uri: z.string(),
  version: z.string(),
  files: z.record(z.string(), z.object({ sha256: z.string(), size: z.number(), mtimeMs: z.number() })),
});
type Mark = z.output<typeof markSchema>;

const nothing: Mark = { uri: '', version: '', files: {} };
const isRun = (folder: string) => folder === '';

function recordKey({ key }: CopyOfRun, folder: string): string {
  return isRun(folder) ? `${key}/${recordName}` : `${key}/${folder}/${recordName}`;
}

function objectKey({ key }: CopyOfRun, folder: string, state: FolderRecord['state'], sha256: string): string {
  return state === 'finished' ? `objects/${sha256}` : `${key}/${folder}/unfinished/${sha256}`;
}

/** Absolute folder of the run → as records name it. */
export function folderName({ root }: Pick<CopyOfRun, 'root'>, folder: string): string {
  return relative(root, folder).replaceAll(sep, '/');
}

const markFile = ({ root }: CopyOfRun, folder: string) =>
  join(root, copyFolder, `${isRun(folder) ? 'run' : folder.replaceAll('/', '+')}.json`);

async function readMark(copy: CopyOfRun, folder: string): Promise<Mark> {
  const mark = await readJson(markFile(copy, folder), markSchema).catch(() => nothing);
  return mark.uri === copy.store.uri ? mark : nothing;
}

async function writeMark(copy: CopyOfRun, folder: string, version: string, files: Mark['files']): Promise<void> {
  await writeJson(markFile(copy, folder), { uri: copy.store.uri, version, files } satisfies Mark);
}

/**
 * Has the newest of a folder on this disk.
 *
 * @param folder from the run's folder on; empty for the files that are no step's
 * @param wanted which of the files; what is here of the others stays
 * @returns what the store has; undefined when it has none, and what is on the disk is left alone
 */
export async function bringFolder(
  copy: CopyOfRun,
  folder: string,
  wanted: (path: string) => boolean = () => true,
): Promise<ReadRecord | undefined> {
  const stored = await readRecord(copy.store, recordKey(copy, folder));
  if (stored === undefined) return undefined;
  const { record, version } = stored;
  const mark = await readMark(copy, folder);
  const isNewest = mark.version === version;
  if (!isNewest) await removeOthers(copy, folder, record, mark);
  const files: Mark['files'] = { ...(isNewest && mark.files) };
  const bring = async (path: string) => {
    const content = record.files[path] as RecordedFiles[string];
    const file = join(copy.root, path);
    const here = await factsOf(file);
    // Changed here since: newer than what the store has.
    if (isNewest && here !== undefined) return;
    if (here?.size !== content.size || (await hashHere(file, here, mark.files[path])) !== content.sha256) {
      const onProgress = (bytes: number) => copy.onTransfer?.({ file: path, bytes, size: content.size });
      const key = objectKey(copy, folder, record.state, content.sha256);
      await copy.cache.fetch(key, content, file, { signal: copy.signal, onProgress });
    }
    const facts = await factsOf(file);
    if (facts !== undefined) files[path] = { ...content, mtimeMs: facts.mtimeMs };
  };
  const paths = Object.keys(record.files).filter(wanted);
  // With its manifest a folder is complete, so that comes last.
  const isLast = (path: string) => path === `${folder}/${manifestName}`;
  await eachAtOnce(
    paths.filter((path) => !isLast(path)),
    bring,
  );
  await eachAtOnce(paths.filter(isLast), bring);
  await writeMark(copy, folder, version, files);
  return stored;
}

/** Takes away what the store does not have: an older attempt's, or a result of other inputs. */
async function removeOthers(copy: CopyOfRun, folder: string, record: FolderRecord, mark: Mark): Promise<void> {
  const gone = (path: string) => !(path in record.files);
  if (isRun(folder)) {
    for (const path of Object.keys(mark.files).filter(gone)) await rm(join(copy.root, path), { force: true });
    return;
  }
  const directory = join(copy.root, folder);
  const inputsHere = await inputsHashIn(directory);
  if (inputsHere !== undefined && record.inputsHash !== undefined && inputsHere !== record.inputsHash) {
    await rm(directory, { recursive: true, force: true });
    return;
  }
  for (const name of await filesIn(directory)) {
    const isOurs = isKept(name, 'begun') || isKept(name, 'finished');
    if (isOurs && gone(`${folder}/${name}`)) await rm(join(directory, name), { force: true });
  }
}

/** A step's folder that this attempt works in. */
export interface OwnFolder {
  /**
   * Sends what another attempt could go on from, if there is more of it than before.
   *
   * @throws StepTakenElsewhere
   */
  save(options?: { always?: boolean }): Promise<void>;
  /**
   * Sends the finished step, and says that it is finished; of a step that is not, what it has so far.
   *
   * @returns whether another attempt had finished the same: its result is here now in place of this one's
   * @throws StepTakenElsewhere when another attempt works at it, or has finished it from other inputs
   */
  commit(): Promise<{ takenFromAnother: boolean }>;
}

/**
 * Makes a step's folder this attempt's: brings what the store has of it, and notes there that an attempt has begun, so
 * that an earlier one that was thought dead can't finish any more.
 *
 * @throws StepTakenElsewhere when another attempt begins at the same moment
 */
export async function ownFolder(copy: CopyOfRun, folder: string): Promise<OwnFolder> {
  const { store, root } = copy;
  const directory = join(root, folder);
  const attempt = randomUUID();
  let last = await bringFolder(copy, folder);
  const hashes = new Map<string, { sha256: string; size: number; mtimeMs: number }>(
    Object.entries((await readMark(copy, folder)).files),
  );

  const write = async (record: Pick<FolderRecord, 'state' | 'inputsHash' | 'files'>): Promise<boolean> => {
    const whole = { ...record, attempt, host: hostname(), at: new Date().toISOString() };
    const version = await writeRecord(store, recordKey(copy, folder), whole, last);
    if (version === undefined) return false;
    last = { record: { schemaVersion: 1, ...whole }, version };
    const files: Mark['files'] = {};
    for (const [path, content] of Object.entries(record.files)) {
      const known = hashes.get(path);
      if (known?.sha256 === content.sha256) files[path] = known;
    }
    await writeMark(copy, folder, version, files);
    return true;
  };
  const requireOwn = (isOwn: boolean) => {
    if (isOwn) return;
    throw new StepTakenElsewhere(`${store.uri}/${copy.key}/${folder}: another attempt began while this one worked`);
  };

  /** Hashes and sends files; one that goes while it is sent is left out. */
  const send = async (paths: readonly string[], state: FolderRecord['state']): Promise<RecordedFiles> => {
    const files: RecordedFiles = {};
    await eachAtOnce(paths, async (path) => {
      const content = await sendFile(copy, path, hashes, (sha256) => objectKey(copy, folder, state, sha256), {
        isThere: (sha256) => last?.record.state === state && last.record.files[path]?.sha256 === sha256,
      });
      if (content !== undefined) files[path] = content;
    });
    return files;
  };

  /** What an earlier record had that this one has not. */
  const removeUnfinished = async (before: ReadRecord | undefined) => {
    if (before?.record.state !== 'begun') return;
    const kept = last?.record.state === 'begun' ? Object.values(last.record.files).map(({ sha256 }) => sha256) : [];
    const old = Object.values(before.record.files).map(({ sha256 }) => sha256);
    await store.remove(
      old.filter((sha256) => !kept.includes(sha256)).map((sha256) => objectKey(copy, folder, 'begun', sha256)),
    );
  };

  const namesIn = async (state: FolderRecord['state']) =>
    (await filesIn(directory)).filter((name) => isKept(name, state));

  let savedProgress = '';
  /** What of the progress there is, told without reading it. */
  const progressSoFar = async () => {
    const names = (await namesIn('begun')).filter(isProgress).sort();
    const facts = await Promise.all(names.map(async (name) => [name, await factsOf(join(directory, name))]));
    return facts.length === 0 ? '' : JSON.stringify(facts);
  };

  const save: OwnFolder['save'] = async ({ always = false } = {}) => {
    const progress = await progressSoFar();
    if (!always && progress === savedProgress) return;
    const before = last;
    const paths = (await namesIn('begun')).map((name) => `${folder}/${name}`);
    if (paths.length === 0) return;
    const files = await send(paths, 'begun');
    requireOwn(await write({ state: 'begun', inputsHash: await inputsHashIn(directory), files }));
    savedProgress = progress;
    await removeUnfinished(before);
  };

  if (last?.record.state !== 'finished') {
    const { inputsHash, files = {} } = last?.record ?? {};
    requireOwn(await write({ state: 'begun', inputsHash, files }));
  }
  savedProgress = await progressSoFar();

  return {
    save,
    async commit() {
      const manifest = await readManifest(directory);
      if (manifest === undefined) {
        await save({ always: true });
        return { takenFromAnother: false };
      }
      const manifestPath = `${folder}/${manifestName}`;
      const before = last;
      if (before?.record.state === 'finished') {
        const here = await hashFile(join(directory, manifestName));
        if (before.record.files[manifestPath]?.sha256 === here) return { takenFromAnother: false };
      }
      const outputs = Object.keys(manifest.outputs).map((output) => folderName(copy, join(directory, output)));
      const others = (await namesIn('finished')).map((name) => `${folder}/${name}`);
      const files = await send([...new Set([...outputs, ...others])], 'finished');
      const { inputsHash } = manifest;
      if (await write({ state: 'finished', inputsHash, files })) {
        await removeUnfinished(before);
        return { takenFromAnother: false };
      }
      const theirs = await bringFolder(copy, folder);
      const isSame = theirs?.record.state === 'finished' && theirs.record.inputsHash === inputsHash;
      requireOwn(isSame);
      return { takenFromAnother: true };
    },
  };
}

/**
 * Sends what was changed here of the run's files that are no step's. What others changed meanwhile stays, file by file.
 *
 * @throws StoreError when another machine has changed the same file: the work must be done again on what it wrote
 */
export async function commitRunFiles(copy: CopyOfRun): Promise<void> {
  const { store, root } = copy;
  for (;;) {
    const mark = await readMark(copy, '');
    const hashes = new Map(Object.entries(mark.files));
    const changed: RecordedFiles = {};
    for (const path of await filesOfTheRun(root)) {
      const known = mark.files[path];
      const here = await factsOf(join(root, path));
      if (known !== undefined && here?.size === known.size && here.mtimeMs === known.mtimeMs) continue;
      const content = await sendFile(copy, path, hashes, (sha256) => `objects/${sha256}`, {
        isThere: (sha256) => known?.sha256 === sha256,
      });
      if (content !== undefined && content.sha256 !== known?.sha256) changed[path] = content;
    }
    if (Object.keys(changed).length === 0) return;
    const stored = await readRecord(store, recordKey(copy, ''));
    const theirs = stored?.record.files ?? {};
    // Otherwise others wrote since this machine looked.
    const isNewest = stored === undefined || stored.version === mark.version;
    for (const path of Object.keys(changed)) {
      const now = theirs[path]?.sha256;
      if (now === changed[path]?.sha256) delete changed[path];
      else if (!isNewest && now !== undefined && now !== mark.files[path]?.sha256)
        throw new StoreError(`${store.uri}/${copy.key}/${path}: another machine has changed it at the same time`);
    }
    if (Object.keys(changed).length === 0) return;
    const record = { attempt: randomUUID(), host: hostname(), at: new Date().toISOString() };
    const files = { ...theirs, ...changed };
    const version = await writeRecord(store, recordKey(copy, ''), { state: 'finished', ...record, files }, stored);
    if (version === undefined) continue;
    const here: Mark['files'] = Object.fromEntries(
      [...hashes].filter(([path, { sha256 }]) => files[path]?.sha256 === sha256),
    );
    // What others wrote is not here yet: then the copy is of no record, and the next look brings it.
    await writeMark(copy, '', isNewest ? version : '', here);
    return;
  }
}

async function sendFile(
  { store, root, signal, onTransfer }: CopyOfRun,
  path: string,
  hashes: Map<string, Mark['files'][string]>,
  keyOf: (sha256: string) => string,
  { isThere }: { isThere: (sha256: string) => boolean },
): Promise<RecordedFiles[string] | undefined> {
  const file = join(root, path);
  const here = await factsOf(file);
  if (here === undefined) return undefined;
  const { mtimeMs } = here;
  try {
    if (here.size <= inOneBytes) {
      // A log may grow while it is sent: what was read at once is what is sent.
      const body = await readFile(file);
      const content = { sha256: hashBytes(body), size: body.length };
      hashes.set(path, { ...content, mtimeMs });
      if (!isThere(content.sha256)) await store.write(keyOf(content.sha256), body);
      return content;
    }
    const content = { sha256: await hashHere(file, here, hashes.get(path)), size: here.size };
    hashes.set(path, { ...content, mtimeMs });
    if (isThere(content.sha256)) return content;
    const key = keyOf(content.sha256);
    if ((await store.sizeOf(key)) === content.size) return content;
    const onProgress = (bytes: number) => onTransfer?.({ file: path, bytes, size: content.size });
    await store.upload(key, file, { signal, onProgress });
    return content;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function hashHere(
  file: string,
  here: { size: number; mtimeMs: number },
  known: Mark['files'][string] | undefined,
): Promise<string> {
  return known?.size === here.size && known.mtimeMs === here.mtimeMs ? known.sha256 : hashFile(file);
}

async function eachAtOnce<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const limit = limitConcurrency(transfersAtOnce);
  try {
    await Promise.all(items.map((item) => limit(work, item)));
  } finally {
    limit.clearQueue();
  }
}

/** Has the newest of all steps' folders below a folder. */
export async function bringAllFolders(
  copy: CopyOfRun,
  folder: string,
  wanted: (path: string) => boolean,
): Promise<void> {
  const below = isRun(folder) ? `${copy.key}/` : `${copy.key}/${folder}/`;
  const folders: string[] = [];
  for await (const { key } of copy.store.list(below)) {
    if (key.endsWith(`/${recordName}`)) folders.push(key.slice(copy.key.length + 1).slice(0, -recordName.length - 1));
  }
  for (const name of folders.filter((one) => !isRun(one))) await bringFolder(copy, name, wanted);
}

/** All files but the large ones of models. */
export function withoutWeights(path: string): boolean {
  return !isWeights(path);
}
