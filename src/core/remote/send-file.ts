import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashBytes } from '../hash.ts';
import type { RecordedFiles } from './folder-record.ts';
import { type CopyOfRun, hashHere, type Mark } from './run-copy.ts';
import { factsOf } from './run-files.ts';

/** Larger files are looked for in the store before they are sent, and are sent in parts. */
const inOneBytes = 8 * 1024 * 1024;

/**
 * Sends a file of a run, unless the store has its content.
 *
 * @param path from the run's folder on
 * @param hashes what is known of files; what is found out is added
 * @returns its content; undefined when it went away meanwhile
 */
export async function sendFile(
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
