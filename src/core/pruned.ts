/**
 * What was removed of a finished step to save space: `pruned.json` in its folder. The manifest stays, so the step counts as
 * done, and names the hashes that the files must have once they are made again.
 */
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { fileExists } from './files.ts';
import { InputError } from './input-error.ts';
import { innerPath, joinInside, sha256Text } from './inside.ts';
import { readJson } from './read-json.ts';
import { writeJson } from './write-file.ts';

export const prunedName = 'pruned.json';

const prunedSchema = z.object({
  schemaVersion: z.literal(1),
  /** ISO 8601 */
  at: z.string(),
  /** Path in the step's folder → the content that it had. */
  files: z.record(innerPath, z.object({ sha256: sha256Text, size: z.int().nonnegative() })),
});
export type Pruned = z.output<typeof prunedSchema>;

/** Writes down what is about to be removed, together with what was removed before. */
export async function writePruned(directory: string, files: Pruned['files'], at: Date): Promise<void> {
  const earlier = (await readPrunedRecord(directory))?.files;
  await writeJson(join(directory, prunedName), prunedRecord({ ...earlier, ...files }, at));
}

/** The content of `pruned.json`. */
export function prunedRecord(files: Pruned['files'], at: Date): Pruned {
  return { schemaVersion: 1, at: at.toISOString(), files };
}

/**
 * What is gone of a step's folder. Undefined when nothing was removed, or all of it was made again.
 *
 * @throws InputError for a record that can't be read
 */
export async function readPruned(directory: string): Promise<Pruned | undefined> {
  const record = await readPrunedRecord(directory);
  if (record === undefined) return undefined;
  const gone: Pruned['files'] = {};
  for (const [file, content] of Object.entries(record.files)) {
    if (!(await fileExists(joinInside(directory, file)))) gone[file] = content;
  }
  return Object.keys(gone).length === 0 ? undefined : { ...record, files: gone };
}

/** `0.4 GB were pruned on 2026-11-29 (model.safetensors)` */
export function describePruned({ at, files }: Pruned): string {
  const bytes = Object.values(files).reduce((sum, { size }) => sum + size, 0);
  return `${sizeText(bytes)} were pruned on ${at.slice(0, 10)} (${Object.keys(files).join(', ')})`;
}

/** `12.3 GB`, `4.1 MB` or `0.2 kB` */
export function sizeText(bytes: number): string {
  if (bytes >= 1e8) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e5 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;
}

/** @throws InputError for a model whose weights were pruned, with the command that makes it again */
export async function requireUnpruned(directory: string): Promise<void> {
  const pruned = await readPruned(directory);
  if (pruned === undefined) return;
  const round = /round-(\d+)/.exec(basename(dirname(directory)))?.[1];
  throw new InputError({
    file: directory,
    problem: `${round === undefined ? 'this model' : `the merged model of round ${round}`} is not whole: ${describePruned(pruned)}`,
    remedy: `Run \`dataengine merge${round === undefined ? '' : ` --round ${round}`}\` with the config of its run: it makes the same model again from base model and adapter`,
  });
}

/** The record alone, whatever was made again since. @throws InputError for one that can't be read */
export async function readPrunedRecord(directory: string): Promise<Pruned | undefined> {
  const file = join(directory, prunedName);
  return (await fileExists(file)) ? readJson(file, prunedSchema) : undefined;
}
