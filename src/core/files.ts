import { access, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

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
