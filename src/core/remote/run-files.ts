/** Which files of a run's folder on this disk belong to what in the store. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestName, startedName } from '../manifest.ts';

/** Where a run's folder on this disk keeps what it knows of the store. */
export const copyFolder = '.store';

/** What only this machine has any use for, or what can be made again here from what the store has. */
const ofThisMachine = /(^|\/)(\.[^/]*|trainer\.pid\.json|[^/]*\.tmp|job\.json|questions\.jsonl|images\.json)$/;
const notSent = /^(mixture|calls|model\.partial)\//;
/** What an interrupted attempt goes on from, once it is finished of no use. */
const unfinished = /^checkpoints\/|\.part\.jsonl$/;

/** Model files: large, and needed by few. */
export function isWeights(path: string): boolean {
  return path.endsWith('.safetensors');
}

/** Whether a change of this file of a step's folder is progress worth sending while the step goes on. */
export function isProgress(path: string): boolean {
  return unfinished.test(path);
}

/** Whether the store keeps a file of a step's folder. Path: from the step's folder on. */
export function isKept(path: string, state: 'begun' | 'finished'): boolean {
  if (ofThisMachine.test(path) || notSent.test(path)) return false;
  if (state === 'finished') return !unfinished.test(path) && path !== startedName;
  // Weights outside of checkpoints are a result that is still being written.
  return path !== manifestName && (unfinished.test(path) || !isWeights(path));
}

/** Folders of a run with records, or ways, of their own; and what each machine makes for itself. */
const notOfTheRun = /^(\.store|ledger|embeddings|embedding-parts|prepared-data|benchmark-images)$/;

/** The files of a run that are no step's: paths from the run's folder on. */
export async function filesOfTheRun(root: string): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(root, { withFileTypes: true }).catch(() => [])) {
    if (notOfTheRun.test(entry.name)) continue;
    if (entry.isFile()) files.push(entry.name);
    else if (/^round-\d+$/.test(entry.name)) files.push(...(await filesOfARound(root, entry.name)));
    else files.push(...(await filesIn(join(root, entry.name))).map((file) => `${entry.name}/${file}`));
  }
  return files.filter((file) => !ofThisMachine.test(file));
}

/** What the append step publishes belongs to that step. */
async function filesOfARound(root: string, round: string): Promise<string[]> {
  const entries = await readdir(join(root, round), { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('DataEngine_'));
  return files.map(({ name }) => `${round}/${name}`);
}

/** The folders of a run's finished steps, from the run's folder on. */
export async function finishedFolders(root: string): Promise<string[]> {
  const manifests = (await filesIn(root)).filter((file) => file.endsWith(`/${manifestName}`));
  return manifests
    .map((file) => file.slice(0, -manifestName.length - 1))
    .filter((folder) => folder !== 'prepared-data')
    .sort();
}

/** All files below a folder, as paths from it on; none when it is not there. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Size and time of change; undefined when the file is gone. */
export async function factsOf(file: string): Promise<{ size: number; mtimeMs: number } | undefined> {
  return stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
}
