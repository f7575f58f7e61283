/**
 * Whose copy a run's folder on this disk is: `.store/store.json` there names the run in a store. A copy is worked on through
 * its store alone, and a run of this disk alone is never replaced by one of a store that has the same name.
 */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { fileExists } from '../files.ts';
import { InputError } from '../input-error.ts';
import { readJson } from '../read-json.ts';
import { writeJson } from '../write-file.ts';
import { copyFolder } from './run-files.ts';

const claimSchema = z.object({ uri: z.string() });

const claimFile = (root: string) => join(root, copyFolder, 'store.json');

/** The URI of the run that a folder is a copy of; undefined for a run of this disk. @throws InputError when it can't be read */
async function claimOf(root: string): Promise<string | undefined> {
  const file = claimFile(root);
  return (await fileExists(file)) ? (await readJson(file, claimSchema)).uri : undefined;
}

/** @throws InputError when the folder of a run is the copy of one in a store, or in such a copy */
export async function refuseCopy(root: string): Promise<void> {
  for (let folder = root; ; folder = dirname(folder)) {
    const uri = await claimOf(folder);
    if (uri !== undefined) {
      throw new InputError({
        file: root,
        problem: `is the copy of ${uri}, and no run of this disk`,
        remedy: 'Name the run by that address, or give yours another name',
      });
    }
    if (dirname(folder) === folder) return;
  }
}

/**
 * Makes a folder the copy of a run in a store, before anything is downloaded into it.
 *
 * @param mayAdopt whether the store gets a run that was on this disk only
 * @throws InputError when the folder has a run of this disk that the store does not get, or the copy of another run
 */
export async function claimCopy(root: string, uri: string, mayAdopt: boolean): Promise<void> {
  const claimed = await claimOf(root);
  if (claimed === uri) return;
  const problem =
    claimed !== undefined
      ? `is the copy of ${claimed}, and not of ${uri}`
      : !mayAdopt && (await hasFiles(root))
        ? `is a run of this disk, and not the copy of ${uri}`
        : undefined;
  if (problem === undefined) return writeJson(claimFile(root), { uri } satisfies z.output<typeof claimSchema>);
  throw new InputError({
    file: root,
    problem,
    remedy: 'Give the new run another name, or move this folder away',
  });
}

async function hasFiles(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.some((name) => name !== copyFolder);
}
