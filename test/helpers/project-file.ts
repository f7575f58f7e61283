import { fileURLToPath } from 'node:url';

/** Where a file of the project is, told from its root. */
export function projectFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
