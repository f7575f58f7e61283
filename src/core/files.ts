import { randomBytes } from 'node:crypto';
import { access, mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InputError } from './input-error.ts';

/** Whether a file or folder exists and this process may access it. */
export function fileExists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/**
 * Creates a folder and its missing parents.
 *
 * @throws the system's error. Node's own recursive `mkdir` says that a folder on a read-only disk does not exist.
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    if (dirname(folder) !== folder) await makeFolder(dirname(folder));
    await mkdir(folder).catch((refusal: NodeJS.ErrnoException) => {
      // Another process created it in the meantime.
      if (refusal.code !== 'EEXIST') throw refusal;
    });
  }
}

/**
 * Has the work fill a folder that appears only once it is complete.
 *
 * @throws InputError when the folder exists and is not empty
 */
export async function fillFolder<R>(folder: string, work: (temporary: string) => Promise<R>): Promise<R> {
  const target = resolve(folder);
  const isThere = await requireEmptyOrMissing(folder);
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  await mkdir(dirname(target), { recursive: true });
  await mkdir(temporary);
  try {
    const result = await work(temporary);
    if (isThere) await rmdir(target);
    await rename(temporary, target);
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Checks that a folder may be filled.
 *
 * @returns whether it exists
 * @throws InputError when it is not empty, or a file
 */
export async function requireEmptyOrMissing(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    if (error.code === 'ENOTDIR') return ['a file'];
    throw error;
  });
  if (names === undefined || names.length === 0) return names !== undefined;
  throw new InputError({ file: folder, problem: 'is not empty', remedy: 'Name a folder that does not exist yet' });
}

/** The absolute path of a file of this project, from its path in the project: independent of the working directory. */
export function projectFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
