/** From this disk to the store: a step's folder, which one attempt at a time works in. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { hashFile } from '../hash.ts';
import { inputsHashIn, manifestName, readManifest } from '../manifest.ts';
import { bringFolder } from './bring-folder.ts';
import { type FolderRecord, type ReadRecord, type RecordedFiles, writeRecord } from './folder-record.ts';
import {
  type CopyOfRun,
  eachAtOnce,
  folderName,
  type Mark,
  objectKey,
  readMark,
  recordKey,
  writeMark,
} from './run-copy.ts';
import { factsOf, filesIn, isKept, isProgress } from './run-files.ts';
import { sendFile } from './send-file.ts';
import { StoreError } from './store-error.ts';

/** Another attempt at a step began, or ended, while this one worked. */
export class StepTakenElsewhere extends StoreError {
  override readonly name = 'StepTakenElsewhere';
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
