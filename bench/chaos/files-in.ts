import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Files of a folder whose names are wanted, wherever they lie in it. */
export async function filesIn(directory: string, wanted: (name: string) => boolean): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && wanted(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
