/**
 * Workers on this machine as child processes, for one run: the demo's, and those of `dataengine run --local`.
 */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { type PathKind, pathsIn } from '../../src/config/config-paths.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { projectFile } from '../../src/core/files.ts';
import {
  loadWorkerSettings,
  type workerSettingsSchema,
  workerSettingsVariable,
} from '../../src/core/worker-settings.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { type OwnedProcess, ProcessEnded, startOwned } from './child-process.ts';

export const workerKinds = ['cpu', 'gpu'] as const;
export type WorkerKind = (typeof workerKinds)[number];

const workerEntry = (kind: WorkerKind) => fileURLToPath(new URL(`../../workers/${kind}.ts`, import.meta.url));

export interface WorkersInput {
  config: Config;
  configFile: string;
  /** The run's folder: gets `worker.yaml`, and logs in `logs/`. */
  directory: string;
  kinds: readonly WorkerKind[];
  /** Of the server, where it is not where the environment says. */
  address?: string | undefined;
  /** Passed to the GPU worker; tests give a trainer of their own. */
  trainerEntry?: string | undefined;
}

/** Starts workers, which end with this process. Each is added to `owned` as soon as it is there. */
export async function startWorkers(input: WorkersInput, owned: OwnedProcess[]): Promise<void> {
  const { config, configFile, directory, kinds, address, trainerEntry } = input;
  const environment = {
    ...(address !== undefined && { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: 'default' }),
    DATAENGINE_EXIT_WITH_PARENT: '1',
    [workerSettingsVariable]: await writeWorkerSettings(join(directory, 'worker.yaml'), configFile, config),
  };
  for (const kind of kinds) {
    const extra = kind === 'gpu' && trainerEntry !== undefined ? [trainerEntry] : [];
    const programArguments = ['--import', import.meta.resolve('tsx'), workerEntry(kind)];
    owned.push(
      await startOwned({
        name: `${kind.toUpperCase()} worker`,
        program: process.execPath,
        arguments: [...programArguments, config.temporal.taskQueues[kind], ...extra],
        logFile: join(directory, 'logs', `worker-${kind}.log`),
        environment,
      }),
    );
  }
}

/** Throws as soon as one of the processes ends, with the name of its log. */
export function failWhenOneEnds(owned: readonly OwnedProcess[]): Promise<never> {
  return Promise.race(
    owned.map(async (process) => {
      const how = await process.ended;
      throw new ProcessEnded(process, how);
    }),
  );
}

/** Workers first: they stop their trainers and report the end of their activities to the server. */
export async function stopAll(workers: readonly OwnedProcess[], server: OwnedProcess | undefined): Promise<void> {
  await Promise.all(workers.map((process) => process.stop()));
  await server?.stop();
}

/** The workers may touch what the config names: the person who typed the command trusts it. */
async function writeWorkerSettings(file: string, configFile: string, config: Config): Promise<string> {
  const { store, teacher, notify } = config;
  const secret = teacher.apiKeyFile === undefined ? { variable: teacher.apiKeyVariable } : { file: teacher.apiKeyFile };
  const named = pathsIn(configSchema, config);
  const pathsOf = (kind: PathKind) => named.filter((one) => one.kind === kind).map(({ path }) => resolve(path));
  const settings: z.input<typeof workerSettingsSchema> = {
    configs: [dirname(resolve(configFile)), process.cwd(), projectFile('configs'), ...pathsOf('configs').map(dirname)],
    data: pathsOf('data'),
    models: pathsOf('models'),
    runs: [resolve(config.runsDirectory)],
    cache: resolve(config.cacheDirectory),
    stores: store === undefined ? [] : [store],
    ...(teacher.baseUrl !== undefined && { secrets: [{ ...secret, hosts: [new URL(teacher.baseUrl).origin] }] }),
    // Commands of servers are this machine's, never a config's.
    serve: (await loadWorkerSettings()).serve,
    webhooks: notify.webhookVariable === undefined ? [] : [notify.webhookVariable],
  };
  // JSON is YAML.
  await writeJson(file, settings);
  return file;
}
