/**
 * Takes away what a process looked at before, and nothing else: it may have been stopped in between, while another one put
 * something new there. A rename is one operation, so what was taken is looked at afterwards, and put back when it is new.
 */
import { randomBytes } from 'node:crypto';
import { readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { placeOnce } from './write-file.ts';

/** The text of a file; undefined when there is none. */
export async function textIfPresent(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
}

/**
 * Removes a file that has the text seen before.
 *
 * @param seen undefined where there was no file
 * @returns false when the file is a new one, which stays
 */
export async function setAsideFile(file: string, seen: string | undefined): Promise<boolean> {
  const aside = asidePath(file);
  if (!(await renameIfPresent(file, aside))) return true;
  if ((await readFile(aside, 'utf8')) !== seen) {
    await placeOnce(aside, file);
    return false;
  }
  await rm(aside, { force: true });
  return true;
}

/**
 * Removes a folder that is as it was seen before.
 *
 * @param isAsSeen looks at it, under another name
 * @returns false when it has changed: it stays, unless there is another one by now
 */
export async function setAsideFolder(folder: string, isAsSeen: (folder: string) => Promise<boolean>): Promise<boolean> {
  const aside = asidePath(folder);
  try {
    if (!(await renameIfPresent(folder, aside))) return true;
  } catch (error) {
    // A folder of a container's image can't be renamed.
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    if (!(await isAsSeen(folder))) return false;
    await rm(folder, { recursive: true, force: true });
    return true;
  }
  const isSame = await isAsSeen(aside);
  if (!isSame && (await renameIfPresent(aside, folder))) return false;
  await rm(aside, { recursive: true, force: true });
  return isSame;
}

/** Where nobody else puts anything. */
function asidePath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
}

/** @returns false when there was nothing, or when something is in the way */
async function renameIfPresent(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}
