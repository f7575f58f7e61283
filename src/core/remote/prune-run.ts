/**
 * Files that a run in a store gives up. Its records let go of them first, by conditional writes; what no record of any run names
 * any more is removed then. A step that starts writes its record before it looks which objects are there: while one is under way,
 * objects stay.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import { hashBytes } from '../hash.ts';
import { sha256Text } from '../inside.ts';
import { parseJson } from '../read-json.ts';
import { type FolderRecord, readRecord, recordName, writeRecord } from './folder-record.ts';
import type { ObjectStore } from './object-store.ts';
import { forEachConcurrently } from './run-copy.ts';

/** A folder of a run in a store: its name, relative to the run; empty for the files of the run itself. */
export interface StoredFolder {
  run: string;
  folder: string;
  record: FolderRecord;
  version: string;
}

/** An attempt that has written nothing for so long has ended. */
const underWayMilliseconds = 24 * 3_600_000;

const releasedSchema = z.object({
  schemaVersion: z.literal(1),
  objects: z.record(sha256Text, z.int().nonnegative()),
});
/** Hash → bytes. */
export type Released = z.output<typeof releasedSchema>['objects'];

const releasedKey = (run: string) => `runs/${run}/released.json`;

/** The records of a run, or of all runs of the store. */
export async function storedFolders(store: ObjectStore, run?: string): Promise<StoredFolder[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(run === undefined ? 'runs/' : `runs/${run}/`)) {
    if (key.endsWith(`/${recordName}`)) keys.push(key);
  }
  const found: StoredFolder[] = [];
  await forEachConcurrently(keys, async (key) => {
    const read = await readRecord(store, key);
    const [, name = '', ...folder] = key.slice(0, -recordName.length - 1).split('/');
    if (read !== undefined) found.push({ run: name, folder: folder.join('/'), ...read });
  });
  return found.sort((one, other) => (`${one.run}/${one.folder}` < `${other.run}/${other.folder}` ? -1 : 1));
}

/**
 * Lets a finished folder go without some files, and gives it another file that says so.
 *
 * @param paths relative to the run
 * @param note its path relative to the run, and its text
 * @returns whether it was done: not where an attempt has started meanwhile
 */
export async function releaseFiles(
  store: ObjectStore,
  { run, folder, record, version }: StoredFolder,
  paths: readonly string[],
  note: { path: string; text: string } | undefined,
): Promise<boolean> {
  const files = Object.fromEntries(Object.entries(record.files).filter(([path]) => !paths.includes(path)));
  if (note !== undefined) {
    const sha256 = hashBytes(note.text);
    await store.write(`objects/${sha256}`, note.text);
    files[note.path] = { sha256, size: Buffer.byteLength(note.text) };
  }
  const released: Released = {};
  for (const path of paths) {
    const content = record.files[path];
    if (content !== undefined) released[content.sha256] = content.size;
  }
  // Before the record lets go of them: whoever is killed here leaves objects that a later prune looks at.
  await rememberReleased(store, run, released);
  const { schemaVersion: _, ...rest } = record;
  const own = { ...rest, files, attempt: randomUUID(), host: hostname(), at: new Date().toISOString() };
  return (await writeRecord(store, `runs/${run}/${folder}/${recordName}`, own, { version })) !== undefined;
}

/**
 * Removes the objects that a run has let go of and that no record names.
 *
 * @param now in milliseconds since 1970
 * @param owner who works on the run: they may be about to name an object again
 * @returns what was removed, and what stays while a step is under way
 */
export async function removeReleased(
  store: ObjectStore,
  run: string,
  now: number,
  owner?: string,
): Promise<{ removed: Released; waiting: Released; why?: string }> {
  const { objects: released, version } = await readReleased(store, run);
  if (Object.keys(released).length === 0) return { removed: {}, waiting: {} };
  if (owner !== undefined) return { removed: {}, waiting: released, why: `${owner} works on the run` };
  const folders = await storedFolders(store);
  const busy = folders.find(
    ({ record }) => record.state === 'started' && now - Date.parse(record.at) < underWayMilliseconds,
  );
  if (busy !== undefined) {
    return { removed: {}, waiting: released, why: `the step ${busy.run}/${busy.folder} is under way` };
  }
  const named = new Set(folders.flatMap(({ record }) => Object.values(record.files).map(({ sha256 }) => sha256)));
  const removed = Object.fromEntries(Object.entries(released).filter(([sha256]) => !named.has(sha256)));
  await store.remove(Object.keys(removed).map((sha256) => `objects/${sha256}`));
  // What another prune has let go of meanwhile stays on the list.
  await writeReleased(store, run, {}, version);
  return { removed, waiting: {} };
}

/** What interrupted attempts have left of steps that are finished now: keys and bytes. */
export async function leftovers(store: ObjectStore, folders: readonly StoredFolder[]): Promise<Record<string, number>> {
  const finished = folders.filter(({ record, folder }) => record.state === 'finished' && folder !== '');
  const found: Record<string, number> = {};
  for (const { run, folder } of finished) {
    const below = `runs/${run}/${folder}/unfinished/`;
    for await (const { key, size } of store.list(below)) if (key.startsWith(below)) found[key] = size;
  }
  return found;
}

async function readReleased(store: ObjectStore, run: string): Promise<{ objects: Released; version?: string }> {
  const object = await store.read(releasedKey(run));
  if (object === undefined) return { objects: {} };
  const { objects } = parseJson(object.body.toString(), `${store.uri}/${releasedKey(run)}`, releasedSchema);
  return { objects, version: object.version };
}

/** @returns whether the list was still as it was read */
async function writeReleased(
  store: ObjectStore,
  run: string,
  objects: Released,
  version: string | undefined,
): Promise<boolean> {
  const only = version === undefined ? ('if absent' as const) : { version };
  // A writer knows its own write by its text.
  const body = JSON.stringify({ schemaVersion: 1, id: randomUUID(), objects });
  return (await store.write(releasedKey(run), body, { only })) !== undefined;
}

async function rememberReleased(store: ObjectStore, run: string, released: Released): Promise<void> {
  for (;;) {
    const { objects, version } = await readReleased(store, run);
    if (await writeReleased(store, run, { ...objects, ...released }, version)) return;
  }
}
