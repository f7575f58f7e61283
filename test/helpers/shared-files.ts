import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A file of the material beside the repository, or undefined where that is missing. */
export function sharedFile(path: string): string | undefined {
  const file = fileURLToPath(new URL(`../../../shared/${path}`, import.meta.url));
  return existsSync(file) ? file : undefined;
}

export const noSharedFiles = 'needs ../shared beside the repository';
