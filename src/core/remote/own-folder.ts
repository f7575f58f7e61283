/** From this disk to the store: a step's folder, in which one attempt works at a time. */

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { requireFence } from '../fence.ts';
import { hashFile } from '../hash.ts';
import { joinInside } from '../inside.ts';
import { inputsHashIn, manifestName, outputFile, readManifest } from '../manifest.ts';
import { emptyRecord } from '../records.ts';
import { downloadFolder } from './download-folder.ts';
import { type FolderRecord, type ReadRecord, type RecordedFiles, writeRecord } from './folder-record.ts';
import {
  type CopyOfRun,
  folderName,
  forEachConcurrently,
  type Mark,
  objectKey,
  readMark,
  recordKey,
  writeMark,
} from './run-copy.ts';
import { factsOf, filesIn, isKept } from './run-files.ts';
import { StoreError } from './store-error.ts';
import { uploadRunFile } from './upload-run-file.ts';

/** Another attempt at a step started, or finished, while this one worked. */
export class StepTakenElsewhere extends StoreError {
  override readonly name = 'StepTakenElsewhere';
}

/** A step's folder in which this attempt works. */
export interface OwnFolder {
  /**
   * Uploads what another attempt could resume from, if there is more of it than before.
   *
   * @throws StepTakenElsewhere
   */
  save(options?: { always?: boolean }): Promise<void>;
  /**
   * Uploads the finished step, and records that it is finished; of an unfinished step, what there is so far.
   *
   * @returns whether another attempt had finished the same step: then its result is now here in place of this one's
   * @throws StepTakenElsewhere when another attempt works on the step, or has finished it from other inputs
   */
  commit(): Promise<{ takenFromAnother: boolean }>;
}

/**
 * Makes a step's folder this attempt's: downloads what the store has of it, and records there that an attempt has started.
 * An earlier attempt that was thought dead can't finish any more.
 *
 * @throws StepTakenElsewhere when another attempt starts at the same moment
 */
export async function ownFolder(copy: CopyOfRun, folder: string): Promise<OwnFolder> {
  const { store, root } = copy;
  const rules = copy.rules.stepFiles(folder);
  const directory = joinInside(root, folder);
  const attempt = randomUUID();
  let last = await downloadFolder(copy, folder);
  const hashes = new Map<string, { sha256: string; size: number; mtimeMs: number }>(
    Object.entries((await readMark(copy, folder)).files),
  );

  const write = async (record: Pick<FolderRecord, 'state' | 'inputsHash' | 'files'>): Promise<boolean> => {
    await requireFence();
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
    throw new StepTakenElsewhere(`${store.uri}/${copy.key}/${folder}: another attempt started while this one worked`);
  };

  /** Hashes and uploads files; one that disappears meanwhile is left out. */
  const upload = async (paths: readonly string[], state: FolderRecord['state']): Promise<RecordedFiles> => {
    const files: RecordedFiles = emptyRecord();
    await forEachConcurrently(paths, async (path) => {
      const content = await uploadRunFile(copy, path, hashes, (sha256) => objectKey(copy, folder, state, sha256), {
        isStored: (sha256) => last?.record.state === state && last.record.files[path]?.sha256 === sha256,
      });
      if (content !== undefined) files[path] = content;
    });
    return files;
  };

  /** Removes what an earlier record had and this one does not. */
  const removeUnfinished = async (before: ReadRecord | undefined) => {
    if (before?.record.state !== 'started') return;
    const kept = last?.record.state === 'started' ? Object.values(last.record.files).map(({ sha256 }) => sha256) : [];
    const old = Object.values(before.record.files).map(({ sha256 }) => sha256);
    await store.remove(
      old.filter((sha256) => !kept.includes(sha256)).map((sha256) => objectKey(copy, folder, 'started', sha256)),
    );
  };

  const namesIn = async (state: FolderRecord['state']) =>
    (await filesIn(directory)).filter((name) => isKept(name, state, rules));

  let savedProgress = '';
  /** The state of the files to resume from, by size and time: they are large. */
  const progressSoFar = async () => {
    const names = (await namesIn('started')).filter(rules.isForResuming).sort();
    const facts = await Promise.all(names.map(async (name) => [name, await factsOf(joinInside(directory, name))]));
    return facts.length === 0 ? '' : JSON.stringify(facts);
  };

  const save: OwnFolder['save'] = async ({ always = false } = {}) => {
    // Nothing has been started anew: the result stands.
    if (last?.record.state === 'finished' && (await readManifest(directory)) !== undefined) return;
    const progress = await progressSoFar();
    if (!always && progress === savedProgress) return;
    const before = last;
    const paths = (await namesIn('started')).map((name) => `${folder}/${name}`);
    if (paths.length === 0) return;
    const files = await upload(paths, 'started');
    requireOwn(await write({ state: 'started', inputsHash: await inputsHashIn(directory), files }));
    savedProgress = progress;
    await removeUnfinished(before);
  };

  if (last?.record.state !== 'finished') {
    const { inputsHash, files = {} } = last?.record ?? {};
    requireOwn(await write({ state: 'started', inputsHash, files }));
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
      const outputs = Object.keys(manifest.outputs).map((output) => folderName(copy, outputFile(directory, output)));
      const others = (await namesIn('finished')).map((name) => `${folder}/${name}`);
      const files = await upload([...new Set([...outputs, ...others])], 'finished');
      const { inputsHash } = manifest;
      if (await write({ state: 'finished', inputsHash, files })) {
        await removeUnfinished(before);
        return { takenFromAnother: false };
      }
      const theirs = await downloadFolder(copy, folder);
      const isSame = theirs?.record.state === 'finished' && theirs.record.inputsHash === inputsHash;
      requireOwn(isSame);
      return { takenFromAnother: true };
    },
  };
}
