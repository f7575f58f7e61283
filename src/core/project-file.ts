import { fileURLToPath } from 'node:url';

/** The absolute path of a file of this project, from its path in the project: independent of the working directory. */
export function projectFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
