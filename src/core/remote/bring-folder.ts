/** From the store to this disk. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inputsHashIn, manifestName } from '../manifest.ts';
import { type FolderRecord, type ReadRecord, type RecordedFiles, readRecord, recordName } from './folder-record.ts';
import {
  type CopyOfRun,
  eachAtOnce,
  hashHere,
  isRun,
  type Mark,
  objectKey,
  readMark,
  recordKey,
  writeMark,
} from './run-copy.ts';
import { factsOf, filesIn, isKept, isWeights } from './run-files.ts';

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
