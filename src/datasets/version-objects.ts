import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hashFile } from '../core/hash.ts';
import { InputError } from '../core/input-error.ts';
import { joinInside } from '../core/inside.ts';
import { StorageError } from '../core/write-file.ts';

/** The object file for this content. */
export function objectFile(folder: string, sha256: string): string {
  return joinInside(join(folder, 'objects'), sha256);
}

/** Stores a file by its content, unless that content is stored already. @returns its SHA-256 */
export async function keepObject(folder: string, file: string): Promise<string> {
  const sha256 = await hashFile(file);
  const target = objectFile(folder, sha256);
  const known = await hashFile(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (known !== sha256) await copyAtomically(file, target);
  return sha256;
}

/**
 * Writes a copy of a stored file.
 *
 * @throws InputError when it is missing or was changed
 */
export async function checkOutObject(folder: string, sha256: string, target: string): Promise<void> {
  const file = objectFile(folder, sha256);
  const found = await hashFile(file).catch(() => undefined);
  if (found !== sha256) {
    throw new InputError({
      file,
      problem: found === undefined ? 'this file of the history is missing' : 'this file of the history was changed',
      remedy: 'Restore it, or run the append step of its round again',
    });
  }
  await copyAtomically(file, target);
}

async function copyAtomically(file: string, target: string): Promise<void> {
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(target), { recursive: true });
    // Where the file system supports it, the copy shares the disk space of the original.
    await copyFile(file, temporary, constants.COPYFILE_FICLONE);
    const handle = await open(temporary, 'r+');
    await handle.sync().finally(() => handle.close());
    await rename(temporary, target);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new StorageError(target, cause);
  }
}
