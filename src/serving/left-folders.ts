/** Folders of engines whose process was killed before it could remove its own. */
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isLeftBehind } from '../trainer/supervisor/fence.ts';
import { temporaryFolder } from './protocol.ts';

/** Removes them. One that can't be removed is another user's, and stays. */
export async function removeLeftFolders(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  const folders = names.filter((name) => name.startsWith(temporaryFolder)).map((name) => join(tmpdir(), name));
  const remove = async (folder: string) => {
    if (await isLeftBehind(folder)) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  };
  await Promise.all(folders.map(remove));
}
