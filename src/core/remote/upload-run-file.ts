import { readFile } from 'node:fs/promises';
import { hashBytes } from '../hash.ts';
import { joinInside } from '../inside.ts';
import type { RecordedFiles } from './folder-record.ts';
import { type CopyOfRun, hashHere, type Mark } from './run-copy.ts';
import { factsOf } from './run-files.ts';

/** Of larger files the store is asked first whether it has them, and they are uploaded in parts. */
const maximumBytesAtOnce = 8 * 1024 * 1024;

/**
 * Uploads a file of a run, unless the store has its content.
 *
 * @param path relative to the run's folder
 * @param hashes what is known of files; what is found out is added
 * @param options.isStored whether the store is known to have this content
 * @returns its content; undefined when the file disappeared meanwhile
 */
export async function uploadRunFile(
  { store, root, signal, onTransfer }: CopyOfRun,
  path: string,
  hashes: Map<string, Mark['files'][string]>,
  keyOf: (sha256: string) => string,
  { isStored }: { isStored: (sha256: string) => boolean },
): Promise<RecordedFiles[string] | undefined> {
  const file = joinInside(root, path);
  const here = await factsOf(file);
  if (here === undefined) return undefined;
  const { mtimeMs } = here;
  try {
    if (here.size <= maximumBytesAtOnce) {
      // A log may grow meanwhile: what is hashed is what is uploaded.
      const body = await readFile(file);
      const content = { sha256: hashBytes(body), size: body.length };
      hashes.set(path, { ...content, mtimeMs });
      if (!isStored(content.sha256)) await store.write(keyOf(content.sha256), body);
      return content;
    }
    const content = { sha256: await hashHere(file, here, hashes.get(path)), size: here.size };
    hashes.set(path, { ...content, mtimeMs });
    if (isStored(content.sha256)) return content;
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
