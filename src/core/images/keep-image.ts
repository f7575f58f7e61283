import { join } from 'node:path';
import { fileExists } from '../files.ts';
import { hashBytes } from '../hash.ts';
import { writeFileAtomically } from '../write-file.ts';

/**
 * Writes an image that a dataset's file contains into the folder, under the hash of its content. Several processes may do
 * it at once: they write the same bytes under the same name.
 *
 * @returns its path
 * @throws StorageError when it can't be written
 */
export async function keepImage(content: Uint8Array, folder: string): Promise<string> {
  const image = join(folder, hashBytes(content));
  const isThere = await fileExists(image);
  if (!isThere) await writeFileAtomically(image, content);
  return image;
}
