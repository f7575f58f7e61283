/** From the store to this disk. */
import { rm } from 'node:fs/promises';
import { fieldPath, InputError } from '../input-error.ts';
import { joinInside } from '../inside.ts';
import { inputsHashIn, manifestName } from '../manifest.ts';
import { type FolderRecord, type ReadRecord, type RecordedFiles, readRecord, recordName } from './folder-record.ts';
import {
  type CopyOfRun,
  forEachConcurrently,
  hashHere,
  isRun,
  type Mark,
  objectKey,
  readMark,
  recordKey,
  writeMark,
} from './run-copy.ts';
import { copyFolder, factsOf, filesIn, isKept, isWeights } from './run-files.ts';

/**
 * Downloads the newest files of a folder, as far as this disk lacks them.
 *
 * @param folder relative to the run's folder; empty for the files that are no step's
 * @param wanted which of the files; what is here of the others stays
 * @returns what the store has; undefined when it has nothing, and what is on the disk is left alone
 */
export async function downloadFolder(
  copy: CopyOfRun,
  folder: string,
  wanted: (path: string) => boolean = () => true,
): Promise<ReadRecord | undefined> {
  if (!isRun(folder)) refuseFolder(copy, folder);
  const stored = await readRecord(copy.store, recordKey(copy, folder));
  if (stored === undefined) return undefined;
  const { record, version } = stored;
  refuseMarks(copy, folder, record);
  const mark = await readMark(copy, folder);
  const isNewest = mark.version === version;
  if (!isNewest) await removeOthers(copy, folder, record, mark);
  const files: Mark['files'] = { ...(isNewest && mark.files) };
  const download = async (path: string) => {
    const content = record.files[path] as RecordedFiles[string];
    const file = joinInside(copy.root, path);
    const here = await factsOf(file);
    // Changed here since: newer than what the store has.
    if (isNewest && here !== undefined) return;
    if (here?.size !== content.size || (await hashHere(file, here, mark.files[path])) !== content.sha256) {
      const onProgress = (bytes: number) => copy.onTransfer?.({ file: path, bytes, size: content.size });
      const key = objectKey(copy, folder, record.state, content.sha256);
      await copy.cache.download(key, content, file, { signal: copy.signal, onProgress });
    }
    const facts = await factsOf(file);
    if (facts !== undefined) files[path] = { ...content, mtimeMs: facts.mtimeMs };
  };
  const paths = Object.keys(record.files).filter(wanted);
  // The manifest says that a folder is complete, so it comes last.
  const isLast = (path: string) => path === `${folder}/${manifestName}`;
  await forEachConcurrently(
    paths.filter((path) => !isLast(path)),
    download,
  );
  await forEachConcurrently(paths.filter(isLast), download);
  await writeMark(copy, folder, version, files);
  return stored;
}

/** A folder's mark must be no other one, and not `store.json`, which says whose copy the run is. */
function refuseFolder(copy: CopyOfRun, folder: string): void {
  const file = `${copy.store.uri}/${recordKey(copy, folder)}`;
  joinInside(copy.root, folder, file);
  if (isPlain(folder) && !/^(?:run|store)$|\+/.test(folder)) return;
  throw new InputError({
    file,
    problem: 'is no folder of a run',
    remedy: 'Do not use this run: it was not written by this program, or was changed',
  });
}

/** Whether a path is in its shortest spelling, and leads to no mark. */
function isPlain(path: string): boolean {
  const parts = path.split(/[\\/]/);
  return parts[0] !== copyFolder && !parts.some((part) => part === '' || part === '.');
}

/** This disk's marks are not the store's to write. */
function refuseMarks(copy: CopyOfRun, folder: string, { files }: FolderRecord): void {
  const other = Object.keys(files).find((path) => !isPlain(path));
  if (other === undefined) return;
  throw new InputError({
    file: `${copy.store.uri}/${recordKey(copy, folder)}`,
    field: fieldPath(['files', other]),
    problem: 'is no file of a run',
    remedy: 'Do not use this run: its record was not written by this program, or was changed',
  });
}

/** Removes what the store does not have: files of an older attempt, or a result of other inputs. */
async function removeOthers(copy: CopyOfRun, folder: string, record: FolderRecord, mark: Mark): Promise<void> {
  const gone = (path: string) => !Object.hasOwn(record.files, path);
  if (isRun(folder)) {
    for (const path of Object.keys(mark.files).filter(gone)) await rm(joinInside(copy.root, path), { force: true });
    return;
  }
  const directory = joinInside(copy.root, folder);
  const inputsHere = await inputsHashIn(directory);
  if (inputsHere !== undefined && record.inputsHash !== undefined && inputsHere !== record.inputsHash) {
    await rm(directory, { recursive: true, force: true });
    return;
  }
  const rules = copy.rules.stepFiles(folder);
  for (const name of await filesIn(directory)) {
    const isStored = isKept(name, 'started', rules) || isKept(name, 'finished', rules);
    if (isStored && gone(`${folder}/${name}`)) await rm(joinInside(directory, name), { force: true });
  }
}

/** Downloads the newest files of all steps' folders below a folder. */
export async function downloadAllFolders(
  copy: CopyOfRun,
  folder: string,
  wanted: (path: string) => boolean,
): Promise<void> {
  const below = isRun(folder) ? `${copy.key}/` : `${copy.key}/${folder}/`;
  const folders: string[] = [];
  for await (const { key } of copy.store.list(below)) {
    if (key.endsWith(`/${recordName}`)) folders.push(key.slice(copy.key.length + 1).slice(0, -recordName.length - 1));
  }
  for (const name of folders.filter((one) => !isRun(one))) await downloadFolder(copy, name, wanted);
}

/** All files but the large ones of models. */
export function withoutWeights(path: string): boolean {
  return !isWeights(path);
}
