/** The config of a run as it was when the run started. Later edits of the YAML change nothing. */
import { dirname, join, relative, resolve } from 'node:path';
import { mapPaths } from '../config/config-paths.ts';
import { type Config, configSchema } from '../config/schema.ts';
import { type Access, configRoot } from '../core/access.ts';
import { requireFence } from '../core/fence.ts';
import { isBelow } from '../core/inside.ts';
import { readSettings } from '../core/read-json.ts';
import { openRunDirectory, type RunDirectory } from '../core/run-directory.ts';
import { writeJson } from '../core/write-file.ts';

interface FreezeOptions {
  runsDirectory?: string;
  isOthers?: boolean;
  access?: Access;
}

const configFile = (root: string) => join(root, 'config.json');

/**
 * Writes `config.json` into the run's directory, with absolute paths. For a run in a store, those beside the worker's folder of
 * configs or below it are written from there: each machine has its own.
 *
 * @param options.isOthers whether the run is another owner's, whose config stays as it is
 */
export async function freezeConfig(
  config: Config,
  run: string,
  { runsDirectory = config.runsDirectory, isOthers = false, access }: FreezeOptions = {},
): Promise<{ name: string; directory: RunDirectory; config: Config }> {
  const root = configRoot(access);
  const here = withAbsolutePaths({ ...config, run, runsDirectory }, root);
  const directory = openRunDirectory(here.runsDirectory, run);
  if (!isOthers) {
    await requireFence();
    await writeJson(configFile(directory.root), config.store === undefined ? here : withPathsFrom(here, root));
  }
  return { name: run, directory, config: here };
}

/** Reads what `freezeConfig` wrote. */
export async function readFrozenConfig(runDirectory: string, access?: Access): Promise<Config> {
  return withAbsolutePaths(await readSettings(configFile(runDirectory), configSchema), configRoot(access));
}

/** The config with absolute paths on this machine; those in the data root stay. */
export function withAbsolutePaths(config: Config, root: string): Config {
  return mapPaths(configSchema, config, ({ kind, path }) => (kind === 'the data root' ? path : resolve(root, path)));
}

/** For other machines: what is elsewhere on this one, such as on a shared disk, is there on them too. */
function withPathsFrom(config: Config, root: string): Config {
  // A folder at the top has all of the machine beside it.
  const beside = dirname(dirname(root)) === dirname(root) ? root : dirname(root);
  return mapPaths(configSchema, config, ({ kind, path }) =>
    kind === 'the data root' || !isBelow(path, [beside]) ? path : relative(root, path) || '.',
  );
}
