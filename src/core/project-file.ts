import { fileURLToPath } from 'node:url';

/** Where a file of this project is, named from the project's root: the working directory may be another. */
export function projectFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
