import { randomBytes } from 'node:crypto';
import { constants, copyFile, link, open, realpath, rename, rm, writeFile } from 'node:fs/promises';
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
  await writeBeside(file, data, (temporary) => rename(temporary, file));
}

/** Writes the temporary file, and has it take its place. */
async function writeBeside<R>(
  file: string,
  data: string | Uint8Array | AsyncIterable<string | Uint8Array>,
  place: (temporary: string) => Promise<R>,
): Promise<R> {
  const folder = dirname(file);
  const temporary = join(folder, `.${basename(file)}.${randomBytes(6).toString('hex')}.tmp`);
  let placed: R;
  try {
    await makeFolder(folder);
    const handle = await open(temporary, 'wx');
    try {
      await writeFile(handle, data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    placed = await place(temporary);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new StorageError(file, cause);
  }
  await flush(folder);
  return placed;
}

/**
 * Writes a value as JSON, indented by two spaces, with a line break at the end. Atomic as
 * `writeFileAtomically`.
 */
export async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFileAtomically(file, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Writes a value as `writeJson` does, unless the file is there: of several writers one does it, on a shared disk too.
 *
 * @returns whether this one did
 */
export async function writeJsonOnce(file: string, value: unknown): Promise<boolean> {
  return writeBeside(file, `${JSON.stringify(value, null, 2)}\n`, (temporary) => placeOnce(temporary, file));
}

/** A hard link is made whole or not at all, and never over another file. */
export async function placeOnce(temporary: string, file: string): Promise<boolean> {
  try {
    await link(temporary, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') {
      if (!withoutLinks.includes(code)) throw error;
      await rename(temporary, file);
      return true;
    }
    await rm(temporary, { force: true });
    return false;
  }
  await rm(temporary, { force: true });
  return true;
}

/** How file systems say that they have no hard links. */
const withoutLinks: readonly (string | undefined)[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/**
 * Has a file appear under a second name: by a hard link, or across disks by a copy. Only for files that are never changed but
 * replaced as a whole, as weights are: a link shares their bytes.
 *
 * @throws StorageError for a full disk and the like, and when `to` is there
 */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    // The file that a symbolic link leads to, as in the cache of the Hub: the link itself would be linked.
    const file = await realpath(from);
    await link(file, to).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EXDEV' && !withoutLinks.includes(error.code)) throw error;
      await copyFile(file, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      await flush(to);
    });
  } catch (cause) {
    throw new StorageError(to, cause);
  }
}

/** Writes values as JSON, one a line. Atomic as `writeFileAtomically`. */
export async function writeJsonLines(file: string, values: readonly unknown[]): Promise<void> {
  await writeFileAtomically(file, values.map((value) => `${JSON.stringify(value)}\n`).join(''));
}

// The rename itself is on the disk only after the folder is flushed. Some file systems can't do that.
async function flush(fileOrFolder: string): Promise<void> {
  const handle = await open(fileOrFolder, 'r').catch(() => undefined);
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
