/**
 * The config of a run as it was when the run began: later edits of the YAML, or another working directory of a
 * worker, change nothing.
 */
import { join, resolve } from 'node:path';
import { type Config, configSchema } from '../configs/schema.ts';
import { readJson } from '../store/read-json.ts';
import { openRunDirectory, type RunDirectory } from '../store/run-directory.ts';
import { writeJson } from '../store/write-file.ts';

const configFile = (root: string) => join(root, 'config.json');

/** Writes `config.json` into the run's directory, its paths made absolute. */
export async function freezeConfig(
  config: Config,
  run: string,
): Promise<{ name: string; directory: RunDirectory; config: Config }> {
  const runsDirectory = resolve(config.runsDirectory);
  const directory = openRunDirectory(runsDirectory, run);
  const frozen: Config = {
    ...config,
    run,
    runsDirectory,
    cacheDirectory: resolve(config.cacheDirectory),
    model: { ...config.model, path: resolve(config.model.path) },
    data: { ...config.data, root: resolve(config.data.root), questionTypes: resolve(config.data.questionTypes) },
    sampling: {
      ...config.sampling,
      embeddings: config.sampling.embeddings && { model: resolve(config.sampling.embeddings.model) },
    },
    teacher: {
      ...config.teacher,
      prompt: resolve(config.teacher.prompt),
      prices: resolve(config.teacher.prices),
      ...(config.teacher.apiKeyFile !== undefined && { apiKeyFile: resolve(config.teacher.apiKeyFile) }),
    },
    verify: {
      ...config.verify,
      blindPrompt: resolve(config.verify.blindPrompt),
      languageOnlyPrompt: resolve(config.verify.languageOnlyPrompt),
    },
  };
  await writeJson(configFile(directory.root), frozen);
  return { name: run, directory, config: frozen };
}

/** Reads what `freezeConfig` wrote. */
export async function readFrozenConfig(runDirectory: string): Promise<Config> {
  return readJson(configFile(runDirectory), configSchema);
}
