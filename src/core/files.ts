import { access, mkdir } from 'node:fs/promises';
import { dirname, isAbsolute, win32 } from 'node:path';
import { z } from 'zod';

/** Whether a file or folder is there, for this process to look at. */
export function fileExists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/**
 * Makes a folder and those on the way to it.
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
      // Another process was quicker.
      if (refusal.code !== 'EEXIST') throw refusal;
    });
  }
}

/** A file's name as a dataset may give it: inside the folder that it belongs to, never outside. */
export const innerPath = z.string().min(1).refine(staysInside, 'leads out of its folder');

function staysInside(path: string): boolean {
  return !isAbsolute(path) && !win32.isAbsolute(path) && !path.split(/[\\/]/).includes('..') && !path.includes('\0');
}
