/**
 * The config of a run as it was when the run started. Later edits of the YAML, or another working directory of a worker,
 * change nothing.
 */
import { join, resolve } from 'node:path';
import { mapPaths } from '../config/config-paths.ts';
import { type Config, configSchema } from '../config/schema.ts';
import { requireFence } from '../core/fence.ts';
import { readSettings } from '../core/read-json.ts';
import { openRunDirectory, type RunDirectory } from '../core/run-directory.ts';
import { writeJson } from '../core/write-file.ts';

const configFile = (root: string) => join(root, 'config.json');

/**
 * Writes `config.json` into the run's directory, with absolute paths. For a run in a store they stay as they are written:
 * each machine has its own folders, and resolves the paths against its workers' working directory.
 *
 * @param options.isOthers whether the run is another owner's, whose config stays as it is
 */
export async function freezeConfig(
  config: Config,
  run: string,
  { runsDirectory = config.runsDirectory, isOthers = false }: { runsDirectory?: string; isOthers?: boolean } = {},
): Promise<{ name: string; directory: RunDirectory; config: Config }> {
  const here = withAbsolutePaths({ ...config, run, runsDirectory });
  const directory = openRunDirectory(here.runsDirectory, run);
  if (!isOthers) {
    await requireFence();
    await writeJson(configFile(directory.root), config.store === undefined ? here : { ...config, run });
  }
  return { name: run, directory, config: here };
}

/** Reads what `freezeConfig` wrote. */
export async function readFrozenConfig(runDirectory: string): Promise<Config> {
  return withAbsolutePaths(await readSettings(configFile(runDirectory), configSchema));
}

/** The config with absolute paths on this machine, resolved against the working directory; those in the data root stay. */
export function withAbsolutePaths(config: Config): Config {
  return mapPaths(configSchema, config, ({ kind, path }) => (kind === 'the data root' ? path : resolve(path)));
}
