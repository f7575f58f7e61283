/**
 * Runs as earlier versions of the program have left them, with their data: `<version>.json.gz`, each file by its path. What a
 * version wrote never changes; `make.ts` adds one for a new version.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { projectFile } from '../../../src/core/files.ts';

export const storedRunsFolder = projectFile('test/round/stored-runs');
/** In place of the folder that the run was made in, and of this project. */
const [madeIn, project] = ['{made-in}', '{project}'];

/** The versions of which there is a run. */
export async function storedVersions(): Promise<string[]> {
  const names = await readdir(storedRunsFolder);
  return names.flatMap((name) => /^(.+)\.json\.gz$/.exec(name)?.[1] ?? []).sort();
}

/** Keeps all files of a folder, paths in texts replaced by placeholders. */
export async function storeRun(version: string, folder: string): Promise<number> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = await readFile(file);
    const text = bytes
      .toString('latin1')
      .replaceAll(folder, madeIn)
      .replaceAll(projectFile('').replace(/\/$/, ''), project);
    files[file.slice(folder.length + 1)] = Buffer.from(text, 'latin1').toString('base64');
  }
  await writeFile(join(storedRunsFolder, `${version}.json.gz`), gzipSync(JSON.stringify(files), { level: 9 }));
  return Object.keys(files).length;
}

/** Unpacks a run of a version into a folder. */
export async function unpackRun(version: string, folder: string): Promise<void> {
  const packed = await readFile(join(storedRunsFolder, `${version}.json.gz`));
  const files: Record<string, string> = JSON.parse(gunzipSync(packed).toString('utf8'));
  for (const [path, content] of Object.entries(files)) {
    const text = Buffer.from(content, 'base64').toString('latin1');
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    const here = text.replaceAll(madeIn, folder).replaceAll(project, projectFile('').replace(/\/$/, ''));
    await writeFile(file, Buffer.from(here, 'latin1'));
  }
}
