import { randomBytes } from 'node:crypto';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeFolder } from './files.ts';

/** A file could not be written to the disk. Unlike after an `InputError`, a retry may succeed: a full disk can be cleared. */
export class StorageError extends Error {
  readonly file: string;
  readonly code: string | undefined;

  constructor(file: string, cause: unknown) {
    const code = (cause as NodeJS.ErrnoException).code;
    super(`${file}: ${storageProblem(code) ?? String(cause)}`, { cause });
    this.name = 'StorageError';
    this.file = file;
    this.code = code;
  }
}

/**
 * Writes a file so that it exists completely or not at all: to a temporary file beside it, flushed to the disk, then
 * renamed. Missing folders are created.
 *
 * The packages for this use a single `write` call, which on a nearly full disk stores a part of the data without an error;
 * Node's `writeFile` continues until everything is written or the disk refuses.
 *
 * @param data pieces are written as they arrive, so that the whole need not be in memory
 * @throws StorageError that names the file, for a full disk and the like; the temporary file is then removed
 */
export async function writeFileAtomically(
  file: string,
  data: string | Uint8Array | AsyncIterable<string | Uint8Array>,
): Promise<void> {
  const folder = dirname(file);
  const temporary = join(folder, `.${basename(file)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await makeFolder(folder);
    const handle = await open(temporary, 'wx');
    try {
      await writeFile(handle, data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new StorageError(file, cause);
  }
  await flushFolder(folder);
}

/**
 * Writes a value as JSON, indented by two spaces, with a line break at the end. Atomic as
 * `writeFileAtomically`.
 */
export async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFileAtomically(file, `${JSON.stringify(value, null, 2)}\n`);
}

/** Writes values as JSON, one a line. Atomic as `writeFileAtomically`. */
export async function writeJsonLines(file: string, values: readonly unknown[]): Promise<void> {
  await writeFileAtomically(file, values.map((value) => `${JSON.stringify(value)}\n`).join(''));
}

// The rename itself is on the disk only after the folder is flushed. Some file systems can't do that.
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

function storageProblem(code: string | undefined): string | undefined {
  if (code === 'ENOSPC') return 'the disk is full. Free some space and try again';
  if (code === 'EDQUOT') return 'the disk quota is used up. Free some space and try again';
  if (code === 'EROFS') return 'the disk is read-only. Choose another folder';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be written. Check the permissions of its folder';
  if (code === 'ENOENT') return "can't be made there. Choose another folder";
  if (code === 'ENOTDIR' || code === 'EEXIST') return 'a file is where its folder should be. Choose another folder';
  if (code === 'EISDIR') return 'is a folder. Name a file';
  if (code === 'ENAMETOOLONG') return 'its name is too long. Choose a shorter one';
  return undefined;
}
