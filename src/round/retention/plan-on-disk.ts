/** What can be removed of a run on this disk. */
import { lstat, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { joinInside } from '../../core/inside.ts';
import { manifestName, startedName } from '../../core/manifest.ts';
import { filesIn, finishedFolders } from '../../core/remote/run-files.ts';
import { isRemade, storeRules } from '../store-rules.ts';
import { type Need, neededBy } from './needed-by-others.ts';
import { type Removal, type RemovalKind, roundOf } from './removals.ts';

/** A writer that is alive changes its file more often than this. */
const abandonedMilliseconds = 3_600_000;

/** The rounds of a run that have a folder, in order. */
export async function roundsOnDisk(root: string): Promise<number[]> {
  const names = await readdir(root).catch(() => []);
  return names
    .flatMap((name) => /^round-(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((one, other) => one - other);
}

/** The rounds with a step that was started and has no manifest: it is under way, or was interrupted. */
export async function unfinishedRounds(root: string): Promise<Set<number>> {
  const files = await filesIn(root);
  const finished = new Set(files.filter((file) => file.endsWith(`/${manifestName}`)).map(folderOf));
  const started = files.filter((file) => file.endsWith(`/${startedName}`)).map(folderOf);
  return new Set(started.filter((folder) => !finished.has(folder)).flatMap((folder) => roundOf(folder) ?? []));
}

/** What stays. */
export interface Stays {
  /** The rounds that keep all but checkpoints. */
  kept: ReadonlySet<number>;
  /** Those that keep everything, and with them the folders that are of no round. Absent where nobody else works on the run. */
  untouched?: ReadonlySet<number> | undefined;
  /** What other runs need. */
  needs: readonly Need[];
}

/** Whether everything in a folder stays. */
export function isUntouched(folder: string, { untouched, needs }: Omit<Stays, 'kept'>): boolean {
  if (neededBy(needs, folder) !== undefined) return true;
  const round = roundOf(folder);
  return untouched !== undefined && (round === undefined || untouched.has(round));
}

/**
 * What can be removed: of finished steps what attempts resume from, of rounds that are not kept what is made again when it is
 * needed, and temporary files that nobody has written to for an hour.
 *
 * @param now in milliseconds since 1970
 */
export async function planOnDisk(root: string, stays: Stays, now: number): Promise<Removal[]> {
  const removals: Removal[] = [];
  for (const folder of await finishedFolders(root, storeRules)) {
    if (isUntouched(folder, stays)) continue;
    const { isForResuming } = storeRules.stepFiles(folder);
    const round = roundOf(folder);
    const isOld = round !== undefined && !stays.kept.has(round);
    const found: Record<'resume' | 'model' | 'other', string[]> = { resume: [], model: [], other: [] };
    for (const file of await filesIn(joinInside(root, folder))) {
      if (isForResuming(file)) found.resume.push(file);
      else if (isOld && isRemade(folder, file)) found[file.endsWith('.safetensors') ? 'model' : 'other'].push(file);
    }
    for (const [kind, files] of Object.entries(found)) {
      if (files.length > 0) removals.push(await sized(root, { kind: kind as RemovalKind, folder, files }));
    }
  }
  const temporary = await abandonedFiles(root, now - abandonedMilliseconds);
  if (temporary.length > 0) removals.push(await sized(root, { kind: 'temporary', folder: '', files: temporary }));
  return withoutShared(root, removals);
}

function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf('/'));
}

async function sized(
  root: string,
  { kind, folder, files }: Pick<Removal, 'kind' | 'folder'> & { files: readonly string[] },
): Promise<Removal> {
  const sizes: Record<string, number> = {};
  for (const file of files) sizes[file] = (await lstat(fileOf(root, folder, file))).size;
  return { kind, folder, files: sizes };
}

function fileOf(root: string, folder: string, file: string): string {
  return joinInside(folder === '' ? root : joinInside(root, folder), file);
}

/** A file with a second name that stays frees nothing: the content stays with that name. */
async function withoutShared(root: string, removals: readonly Removal[]): Promise<Removal[]> {
  const names = new Map<string, { links: number; found: { files: Removal['files']; file: string }[] }>();
  for (const { folder, files } of removals) {
    for (const file of Object.keys(files)) {
      const { dev, ino, nlink } = await lstat(fileOf(root, folder, file));
      if (nlink === 1) continue;
      const known = names.get(`${dev}:${ino}`) ?? { links: nlink, found: [] };
      known.found.push({ files, file });
      names.set(`${dev}:${ino}`, known);
    }
  }
  for (const { links, found } of names.values()) {
    // The content goes with its last name.
    for (const { files, file } of found.slice(links === found.length ? 1 : 0)) files[file] = 0;
  }
  return [...removals];
}

/** Files with the name of temporary ones, and those in such folders, untouched since a time. */
async function abandonedFiles(root: string, before: number): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  const abandoned: string[] = [];
  for (const entry of entries) {
    const path = relative(root, join(entry.parentPath, entry.name));
    if (!entry.isFile() || !/\.tmp(\/|$)/.test(path)) continue;
    const { mtimeMs, ctimeMs } = await lstat(joinInside(root, path));
    if (Math.max(mtimeMs, ctimeMs) < before) abandoned.push(path);
  }
  return abandoned;
}
