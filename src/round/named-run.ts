/** A run that is named: by its config, its folder, or its address in a store. It is opened without starting it. */
import { basename, dirname, extname, resolve } from 'node:path';
import { loadConfig } from '../config/load-config.ts';
import type { Config } from '../config/schema.ts';
import { InputError } from '../core/input-error.ts';
import { isRemote, localPath } from '../core/remote/store-uri.ts';
import { readFrozenConfig } from './frozen-config.ts';
import { newRunReference, type OpenRun, type RunWork, withOtherRun } from './open-run.ts';

export interface NamedRun {
  /** A config. */
  config?: string | undefined;
  /** The run of the config. Default: as it says, or its file's name. */
  run?: string | undefined;
  dataRoot?: string | undefined;
  /** In place of a config: the folder of the run, or `s3://…/runs/<run>`. */
  runDirectory?: string | undefined;
}

/**
 * Works on a run as its own config has it, which is frozen in its folder.
 *
 * @param work is given the config that named it too, where one did
 * @throws InputError when there is no such run, or this worker may not touch it
 */
export async function withNamedRun<R>(
  named: NamedRun,
  { signal, extensions, access }: Pick<RunWork, 'signal' | 'extensions' | 'access'>,
  work: (open: OpenRun, given: Config | undefined) => Promise<R>,
): Promise<R> {
  const given = await configOf(named, access);
  const { run: name, ...places } = await placeOfNamed(named, access, given);
  return withOtherRun({ config: places, signal, access }, name, async (run) => {
    const config = await readFrozenConfig(run.root, access);
    return work({ config, run, signal, extensions, access }, given);
  });
}

/** How the run that is named is opened: path of its folder, or its URI. @throws InputError as `withNamedRun` does */
export async function namedReference(named: NamedRun, access: RunWork['access']): Promise<string> {
  const { run, ...place } = await placeOfNamed(named, access);
  return newRunReference(place, run);
}

async function placeOfNamed(named: NamedRun, access: RunWork['access'], given?: Config): Promise<Place> {
  const config = given ?? (await configOf(named, access));
  return config ? placeOfConfig(config, named) : placeOf(named.runDirectory ?? '', access);
}

type Place = Pick<Config, 'store' | 'runsDirectory' | 'cacheDirectory'> & { run: string };

async function configOf({ config, run, dataRoot }: NamedRun, access: RunWork['access']): Promise<Config | undefined> {
  return config === undefined ? undefined : loadConfig(config, { dataRoot, run }, access);
}

function placeOfConfig({ store, runsDirectory, cacheDirectory, run }: Config, { config: file = '' }: NamedRun): Place {
  return { store, runsDirectory: resolve(runsDirectory), cacheDirectory, run: run ?? basename(file, extname(file)) };
}

function placeOf(reference: string, access: RunWork['access']): Place {
  const cacheDirectory = access?.cache ?? '.cache';
  if (!isRemote(reference)) {
    const root = resolve(localPath(reference));
    return { store: undefined, runsDirectory: dirname(root), cacheDirectory, run: basename(root) };
  }
  const [, store, run] = /^(s3:\/\/.+)\/runs\/([^/]+)\/?$/.exec(reference) ?? [];
  if (store !== undefined && run !== undefined) return { store, runsDirectory: 'runs', cacheDirectory, run };
  const problem = 'is not the address of a run in a store';
  throw new InputError({ file: reference, problem, remedy: 'Write s3://bucket/prefix/runs/<run>' });
}
