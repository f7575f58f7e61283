/** Paths that come from data: they stay inside the folder that they are joined to. */
import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep, win32 } from 'node:path';
import { z } from 'zod';
import { InputError } from './input-error.ts';

/** The path of a file as a dataset or a record may give it: inside its own folder, never outside. */
export const innerPath = z
  .string()
  .min(1)
  .refine(staysInside, 'leads out of its folder')
  .refine(isShort, 'is too long for a path');

/** SHA-256 in hexadecimal, as a record gives it: it becomes the name of a file. */
export const sha256Text = z.string().regex(/^[0-9a-f]{64}$/, 'is no SHA-256');

/**
 * Joins a path that comes from a record, a listing or a dataset to the folder it belongs to.
 *
 * @param file the file that the path is written in, for the error
 * @throws InputError when it leads out of the folder, is the folder itself, or is longer than paths can be
 */
export function joinInside(root: string, path: string, file: string = root): string {
  const inside = path !== '' && staysInside(path);
  if (inside && isShort(path)) return join(root, path);
  throw new InputError({
    file,
    problem: `the path ${JSON.stringify(path.slice(0, 200))} ${inside ? 'is too long' : 'leads out of its folder'}`,
    remedy: 'Do not use this file: it was not written by this program, or was changed',
  });
}

/** Whether an absolute path is a folder of the list or below one, by its spelling. */
export function isBelow(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => {
    const way = relative(folder, path);
    return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
  });
}

/**
 * The path with its symbolic links followed, as far as it exists.
 *
 * @throws InputError for what can be no path, such as one through a file
 */
export async function followLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' || dirname(path) === path) {
      const file = JSON.stringify(path.slice(0, 200));
      throw new InputError({ file, problem: `can't be a path here (${code})`, remedy: 'Correct it' }, { cause: error });
    }
    return join(await followLinks(dirname(path)), basename(path));
  }
}

function staysInside(path: string): boolean {
  if (isAbsolute(path) || win32.isAbsolute(path) || path.includes('\0')) return false;
  const parts = path.split(/[\\/]/);
  return !parts.includes('..') && parts.some((part) => part !== '' && part !== '.');
}

/** Whether disks take it: a name has at most 255 bytes, and the folder needs bytes of the path, too. */
function isShort(path: string): boolean {
  return path.length <= 1024 && path.split(/[\\/]/).every((part) => Buffer.byteLength(part) <= 255);
}
