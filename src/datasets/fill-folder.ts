import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { InputError } from '../core/input-error.ts';

/**
 * Has the work fill a folder that appears only when it is whole.
 *
 * @throws InputError when the folder is there and holds something
 */
export async function fillFolder<R>(folder: string, work: (temporary: string) => Promise<R>): Promise<R> {
  const target = resolve(folder);
  const names = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    if (error.code === 'ENOTDIR') return ['a file'];
    throw error;
  });
  if (names !== undefined && names.length > 0) {
    throw new InputError({ file: folder, problem: 'is not empty', remedy: 'Name a folder that is not there yet' });
  }
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  await mkdir(dirname(target), { recursive: true });
  await mkdir(temporary);
  try {
    const result = await work(temporary);
    if (names !== undefined) await rmdir(target);
    await rename(temporary, target);
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}
