/**
 * A run that lies in a store, and what this machine's disk has of it.
 *
 *   runs/<run>/<folder>/folder.json        what the store has of a step's folder; conditional writes make it a fence
 *   runs/<run>/<folder>/unfinished/<hash>  files that an interrupted attempt resumes from
 *   runs/<run>/folder.json                 the same for the files of the run that are no step's
 *   objects/<hash>                         the files of all runs, by content
 *
 * On the disk, `.store/` in the run's folder notes whose copy it is (`run-claim.ts`), and which record each folder is a copy of.
 * While that record is the newest, what is on the disk is at least as new as what the store has, and stays; otherwise it is
 * made the same as in the store.
 */
import { join, relative, sep } from 'node:path';
import limitConcurrency from 'p-limit';
import { z } from 'zod';
import { hashFile } from '../hash.ts';
import { innerPath, joinInside, sha256Text } from '../inside.ts';
import { readJson } from '../read-json.ts';
import { writeJson } from '../write-file.ts';
import { type FolderRecord, recordName } from './folder-record.ts';
import type { ObjectCache } from './object-cache.ts';
import type { ObjectStore } from './object-store.ts';
import { copyFolder, type RunRules } from './run-files.ts';

/** A working copy of a run. */
export interface CopyOfRun {
  store: ObjectStore;
  cache: ObjectCache;
  /** Of the run in the store: `runs/<run>`. */
  key: string;
  /** The run's folder on this disk. */
  root: string;
  rules: RunRules;
  signal?: AbortSignal | undefined;
  /** Called with the bytes so far of a transfer under way. */
  onTransfer?: ((transfer: { file: string; bytes: number; size: number }) => void) | undefined;
}

const maxConcurrentTransfers = 6;

const markSchema = z.object({
  uri: z.string(),
  version: z.string(),
  files: z.record(innerPath, z.object({ sha256: sha256Text, size: z.number(), mtimeMs: z.number() })),
});
/** Which record a folder on this disk is a copy of, and its files as they were then. */
export type Mark = z.output<typeof markSchema>;

const nothing: Mark = { uri: '', version: '', files: {} };
/** Whether a folder's name stands for the files of the run itself, which are no step's. */
export const isRun = (folder: string) => folder === '';

/** Key of a folder's record. */
export function recordKey({ key }: CopyOfRun, folder: string): string {
  return isRun(folder) ? `${key}/${recordName}` : `${key}/${folder}/${recordName}`;
}

/** Key of a file of a folder, by its content. */
export function objectKey({ key }: CopyOfRun, folder: string, state: FolderRecord['state'], sha256: string): string {
  return state === 'finished' ? `objects/${sha256}` : `${key}/${folder}/unfinished/${sha256}`;
}

/** Absolute path in the run's folder → its path there, as records name it. */
export function folderName({ root }: Pick<CopyOfRun, 'root'>, folder: string): string {
  return relative(root, folder).replaceAll(sep, '/');
}

const markFile = ({ root }: CopyOfRun, folder: string) =>
  joinInside(join(root, copyFolder), `${isRun(folder) ? 'run' : folder.replaceAll('/', '+')}.json`);

/** What is known of a folder on this disk; empty when it is a copy from no store, or from another. */
export async function readMark(copy: CopyOfRun, folder: string): Promise<Mark> {
  const mark = await readJson(markFile(copy, folder), markSchema).catch(() => nothing);
  return mark.uri === copy.store.uri ? mark : nothing;
}

/** Notes which record a folder is now a copy of. */
export async function writeMark(copy: CopyOfRun, folder: string, version: string, files: Mark['files']): Promise<void> {
  await writeJson(markFile(copy, folder), { uri: copy.store.uri, version, files } satisfies Mark);
}

/** The hash of a file on this disk, which is read only when it has changed since its hash was computed. */
export async function hashHere(
  file: string,
  here: { size: number; mtimeMs: number },
  known: Mark['files'][string] | undefined,
): Promise<string> {
  return known?.size === here.size && known.mtimeMs === here.mtimeMs ? known.sha256 : hashFile(file);
}

/** Works on a few items at a time; after the first error no further one is started. */
export async function forEachConcurrently<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const limit = limitConcurrency(maxConcurrentTransfers);
  try {
    await Promise.all(items.map((item) => limit(work, item)));
  } finally {
    limit.clearQueue();
  }
}
