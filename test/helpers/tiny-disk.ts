import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/**
 * Mounts a disk of the given size in memory for one test. Undefined where that is not allowed (it requires
 * Linux and root): the test then skips itself.
 *
 * @example
 * const disk = tinyDisk(1024 * 1024) ?? context.skip(noTinyDisk);
 */
export function tinyDisk(bytes: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'dataengine-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    rmdirSync(folder);
    return undefined;
  }
  onTestFinished(() => {
    // Lazily: TensorBoard's writer keeps its file open until the process ends.
    execFileSync('umount', ['-l', folder]);
    rmdirSync(folder);
  });
  return folder;
}

export const noTinyDisk = 'needs root on Linux, to mount a small disk and fill it';

/** Makes a disk of `tinyDisk` read-only, or writable again. */
export function setReadOnly(disk: string, readOnly: boolean): void {
  execFileSync('mount', ['-o', `remount,${readOnly ? 'ro' : 'rw'}`, disk]);
}
