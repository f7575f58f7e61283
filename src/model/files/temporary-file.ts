import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { StorageError } from '../../core/write-file.ts';

/**
 * Lets `write` fill a temporary file beside `file`, then flushes it to disk and gives it its name.
 * If anything fails, the temporary file is removed and what was at `file` stays as it was.
 * For files too large to hold in memory; smaller ones go through `src/core/write-file.ts`.
 *
 * @throws StorageError that names the file, for a full disk and the like; else what `write` throws.
 */
export async function withTemporaryFile(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const folder = path.dirname(file);
  const temporary = path.join(folder, `.${path.basename(file)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await mkdir(folder, { recursive: true });
    const handle = await open(temporary, 'wx');
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw isSystemError(error) ? new StorageError(file, error) : error;
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
