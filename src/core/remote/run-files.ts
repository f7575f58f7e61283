/** Which files of a run's folder on this disk the store keeps. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestName, startedName } from '../manifest.ts';

/** Rules for the files of a step's folder. Paths are relative to that folder. */
export interface StepFiles {
  /** Whether the file means something on this machine only, or can be made here again. */
  isLocal(path: string): boolean;
  /** Whether an interrupted attempt resumes from the file. Once the step has finished, it is of no use. */
  isForResuming(path: string): boolean;
}

/** What the store has to know of a run's files. `src/round/store-rules.ts` makes it from the table of steps. */
export interface RunRules {
  /** By a step's folder. Folders are relative to the run's. */
  stepFiles(folder: string): StepFiles;
  /**
   * Whether a path, relative to the run's folder, belongs to the run itself: not to a step, nor to a synced folder, nor to
   * this machine alone. The path of a folder ends with a slash.
   */
  isOfRun(path: string): boolean;
  /** Whether steps read a file of the run itself; others are there for people, and are downloaded for them only. */
  isReadBySteps(path: string): boolean;
  /** Folders of the run that all machines write into, each process into files of its own that only grow. */
  syncedFolders: readonly string[];
}

/** Where a run's folder on this disk keeps what it knows of the store. */
export const copyFolder = '.store';

/** Of a write under way, or of the store's own. */
const temporary = /(^|\/)(\.[^/]*|[^/]*\.tmp)$/;

/** Model files: large, and needed by few steps. */
export function isWeights(path: string): boolean {
  return path.endsWith('.safetensors');
}

/** Whether the store keeps a file of a step's folder. Path: relative to the step's folder. */
export function isKept(path: string, state: 'started' | 'finished', { isLocal, isForResuming }: StepFiles): boolean {
  if (temporary.test(path) || isLocal(path)) return false;
  if (state === 'finished') return !isForResuming(path) && path !== startedName;
  // Other weights are a result that is still being written.
  return path !== manifestName && (isForResuming(path) || !isWeights(path));
}

/** The files of a run that are no step's: paths relative to the run's folder. */
export async function filesOfTheRun(root: string, rules: RunRules, folder = ''): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(join(root, folder), { withFileTypes: true }).catch(() => [])) {
    const path = folder + entry.name;
    if (temporary.test(path)) continue;
    if (entry.isFile() && rules.isOfRun(path)) files.push(path);
    if (entry.isDirectory() && rules.isOfRun(`${path}/`)) files.push(...(await filesOfTheRun(root, rules, `${path}/`)));
  }
  return files;
}

/** The folders of a run's finished steps, relative to the run's folder, without those of this machine alone. */
export async function finishedFolders(root: string, { stepFiles }: RunRules): Promise<string[]> {
  const manifests = (await filesIn(root)).filter((file) => file.endsWith(`/${manifestName}`));
  return manifests
    .map((file) => file.slice(0, -manifestName.length - 1))
    .filter((folder) => !stepFiles(folder).isLocal(manifestName))
    .sort();
}

/** All files below a folder, as paths relative to it; none when it does not exist. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Size in bytes and time of change; undefined when the file is gone. */
export async function factsOf(file: string): Promise<{ size: number; mtimeMs: number } | undefined> {
  return stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
}
