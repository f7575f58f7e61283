/** What lies beside a run: no record in the run may have it read into a store, changed or removed. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The content of the file that nobody may touch. */
export const secret = 'a private key of somebody';

export interface Sentinel {
  /** The run's folder. */
  root: string;
  /** @throws when anything beside the run was written, changed or removed */
  check(): Promise<void>;
}

/** Puts files beside the place of a run, which `../../outside/secret` would reach from it. */
export async function placeSentinel(folder: string): Promise<Sentinel> {
  const around = join(folder, 'around');
  await mkdir(join(around, 'outside', 'runs'), { recursive: true });
  await writeFile(join(around, 'outside', 'secret'), secret);
  await mkdir(join(around, 'runs', 'other'), { recursive: true });
  await writeFile(join(around, 'runs', 'other', 'config.json'), secret);
  const root = join(around, 'runs', 'demo');
  const before = await filesBeside(around, root);
  return {
    root,
    async check() {
      const now = await filesBeside(around, root);
      if (now !== before) throw new Error(`files beside the run were changed: ${now}`);
    },
  };
}

async function filesBeside(folder: string, root: string): Promise<string> {
  const lines: string[] = [];
  const look = async (path: string) => {
    for (const entry of (await readdir(path, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const inner = join(path, entry.name);
      if (inner === root) continue;
      lines.push(`${inner}: ${entry.isFile() ? await readFile(inner, 'utf8') : 'folder'}`);
      if (entry.isDirectory()) await look(inner);
    }
  };
  await look(folder);
  return lines.join('\n');
}

/** Errors by which records are refused, and what may go wrong with a disk or a store. */
const refusals = new Set(['InputError', 'StoreError', 'StorageError', 'DamagedObject', 'StepTakenElsewhere']);

/** @throws what the work throws, unless it refuses a record so that a person understands it */
export async function allowRefusal(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Error) || !refusals.has(error.name)) throw error;
  }
}
