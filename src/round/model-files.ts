import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hashFile } from '../core/hash.ts';
import { InputError } from '../core/input-error.ts';

/**
 * File → SHA-256 of what a model directory is read from; folders and notes beside it are not.
 *
 * @throws InputError for a directory that can't be read or holds no weights
 */
export async function hashModelFiles(model: string): Promise<Record<string, string>> {
  const names = await readdir(model).catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(
      { file: model, problem: `can't be read as a model directory (${cause.code})`, remedy: 'Check the path' },
      { cause },
    );
  });
  const files = names.filter((name) => /\.(safetensors|json|jinja)$/.test(name) && name !== 'manifest.json').sort();
  if (!files.some((name) => name.endsWith('.safetensors'))) {
    throw new InputError({
      file: model,
      problem: 'holds no weights (*.safetensors)',
      remedy: 'Name a model directory',
    });
  }
  const hashes: Record<string, string> = {};
  for (const name of files) hashes[name] = await hashFile(join(model, name));
  return hashes;
}
