import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, onTestFinished } from 'vitest';

/** A folder of its own for one test, removed when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dataengine-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder of its own for all tests of a file, made before the first and removed after the last. */
export async function temporaryFolderOfFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dataengine-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
