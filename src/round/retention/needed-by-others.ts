/** What other runs need of a run: the folders that their configs name, such as a base model or the adapter of round 0. */
import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { InputError } from '../../core/input-error.ts';
import { isBelow } from '../../core/inside.ts';

export interface Need {
  /** The run that needs it. */
  by: string;
  /** Folder or file, relative to the run's folder; empty for all of it. */
  path: string;
}

/** The config of another run, as its `config.json` has it. */
export interface OtherConfig {
  run: string;
  file: string;
  text: string;
}

/** The configs of all other runs in the folder of a run. */
export async function otherConfigs(root: string): Promise<OtherConfig[]> {
  const runs = dirname(root);
  const configs: OtherConfig[] = [];
  for (const entry of await readdir(runs, { withFileTypes: true }).catch(() => [])) {
    if (!entry.isDirectory() || entry.name === basename(root)) continue;
    const file = join(runs, entry.name, 'config.json');
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw error;
    });
    if (text !== undefined) configs.push({ run: entry.name, file, text });
  }
  return configs;
}

/**
 * What configs name of a run, whichever of their keys it is: a key that is new to this version counts too.
 *
 * @param root the run's folder
 * @param paths the folder that paths of runs in a store start in
 * @throws InputError for a config that can't be read: nobody knows what that run needs
 */
export async function needsOf(root: string, configs: readonly OtherConfig[], paths: string): Promise<Need[]> {
  const here = await real(root);
  const needs: Need[] = [];
  for (const { run, file, text } of configs) {
    const config = parsed(file, text);
    const dataRoot = (config as { data?: { root?: unknown } } | null)?.data?.root;
    const folders = [paths, ...(typeof dataRoot === 'string' ? [resolve(paths, dataRoot)] : [])];
    for (const value of textsIn(config)) {
      for (const folder of folders) {
        const path = await real(resolve(folder, value));
        if (isBelow(path, [here])) needs.push({ by: run, path: relative(here, path) });
      }
    }
  }
  return needs;
}

/** Who needs a folder of the run, or something in it; undefined where nobody does. */
export function neededBy(needs: readonly Need[], folder: string): string | undefined {
  return needs.find(
    ({ path }) => path === '' || isBelow(`/${path}`, [`/${folder}`]) || isBelow(`/${folder}`, [`/${path}`]),
  )?.by;
}

function parsed(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError(
      {
        file,
        problem: "can't be read, so nobody knows what this run needs of others",
        remedy: 'Repair or remove this run, then prune again',
      },
      { cause },
    );
  }
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return value.length > 4096 || value.includes('\0') ? [] : [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

/** The path with its links followed, where it exists. */
async function real(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}
