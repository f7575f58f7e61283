import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { requireFence } from '../fence.ts';
import { joinInside } from '../inside.ts';
import { emptyRecord } from '../records.ts';
import { type RecordedFiles, readRecord, writeRecord } from './folder-record.ts';
import { type CopyOfRun, type Mark, readMark, recordKey, writeMark } from './run-copy.ts';
import { factsOf, filesOfTheRun } from './run-files.ts';
import { StoreError } from './store-error.ts';
import { uploadRunFile } from './upload-run-file.ts';

/**
 * Uploads what was changed here of the run's files that are no step's. What other machines changed meanwhile stays, file
 * by file.
 *
 * @throws StoreError when another machine has changed the same file: the work must be done again on what it wrote
 */
export async function commitRunFiles(copy: CopyOfRun): Promise<void> {
  const { store, root, rules } = copy;
  for (;;) {
    const mark = await readMark(copy, '');
    const hashes = new Map(Object.entries(mark.files));
    const changed: RecordedFiles = emptyRecord();
    for (const path of await filesOfTheRun(root, rules)) {
      const known = mark.files[path];
      const here = await factsOf(joinInside(root, path));
      if (known !== undefined && here?.size === known.size && here.mtimeMs === known.mtimeMs) continue;
      const content = await uploadRunFile(copy, path, hashes, (sha256) => `objects/${sha256}`, {
        isStored: (sha256) => known?.sha256 === sha256,
      });
      if (content !== undefined && content.sha256 !== known?.sha256) changed[path] = content;
    }
    if (Object.keys(changed).length === 0) return;
    await requireFence();
    const stored = await readRecord(store, recordKey(copy, ''));
    const theirs = stored?.record.files ?? {};
    // Otherwise other machines wrote since this one looked.
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
    // What other machines wrote is not here yet: then this is a copy of no record, and the next look downloads it.
    await writeMark(copy, '', isNewest ? version : '', here);
    return;
  }
}
