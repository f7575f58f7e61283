/** What is below a folder, through links too. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../core/input-error.ts';

interface OpenFolder {
  /** From the folder that is listed, with forward slashes; '' for that one. */
  path: string;
  /** Without links. */
  real: string;
}

/**
 * The paths of the files below a folder, with forward slashes and in no certain order. Names that start with a dot are left out.
 * Links to folders are followed, and each folder is listed once, so that a link to a folder above ends nothing in a loop; where
 * a folder can be reached without a link, its files have those paths.
 *
 * @param isWanted by the name of a file; a link with a wanted name is taken for a file
 * @param isOther names of folders that are left out
 * @param mostFolders more are an error
 * @throws InputError for a folder that can't be listed, which names it
 */
export async function filesBelow(
  folder: string,
  {
    isWanted,
    isOther = () => false,
    mostFolders = Number.POSITIVE_INFINITY,
  }: { isWanted: (name: string) => boolean; isOther?: (name: string) => boolean; mostFolders?: number },
): Promise<string[]> {
  const files: string[] = [];
  const listed = new Set<string>();
  const open: OpenFolder[] = [{ path: '', real: await realpath(folder).catch((cause) => fail(folder, cause)) }];
  const links: string[] = [];
  for (;;) {
    const next = open.shift() ?? (await linkedFolder(folder, links, listed));
    if (next === undefined) return files;
    if (listed.has(next.real)) continue;
    listed.add(next.real);
    if (listed.size > mostFolders) {
      const problem = `has more than ${mostFolders} folders below it`;
      throw new InputError({ file: folder, problem, remedy: 'Name the folder of the images' });
    }
    const entries = await readdir(next.real, { withFileTypes: true }).catch((cause) =>
      fail(join(folder, next.path), cause),
    );
    for (const entry of entries.sort((left, right) => (left.name < right.name ? -1 : 1))) {
      if (entry.name.startsWith('.') || (!entry.isFile() && isOther(entry.name))) continue;
      const path = next.path === '' ? entry.name : `${next.path}/${entry.name}`;
      if (entry.isDirectory()) open.push({ path, real: join(next.real, entry.name) });
      else if (isWanted(entry.name)) files.push(path);
      else if (entry.isSymbolicLink()) links.push(path);
    }
  }
}

/** The next folder behind a link that is not listed yet. Links to files, and to nothing, are passed over. */
async function linkedFolder(
  folder: string,
  links: string[],
  listed: ReadonlySet<string>,
): Promise<OpenFolder | undefined> {
  for (let path = links.shift(); path !== undefined; path = links.shift()) {
    const found = await stat(join(folder, path)).catch(() => undefined);
    if (!found?.isDirectory()) continue;
    const real = await realpath(join(folder, path));
    if (!listed.has(real)) return { path, real };
  }
  return undefined;
}

const problems: Readonly<Record<string, string>> = {
  ENOENT: 'no such folder',
  ENOTDIR: 'is a file, not a folder',
  EACCES: 'may not be listed',
};

function fail(file: string, cause: NodeJS.ErrnoException): never {
  const problem = problems[cause.code ?? ''];
  if (problem === undefined) throw cause;
  throw new InputError({ file, problem, remedy: 'Name a folder that can be read' }, { cause });
}
