/**
 * The demo: a Temporal server, a CPU worker and a GPU worker as child processes, and one run of the loop.
 */
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { formatRounds } from '../../cli/rounds-table.ts';
import { connectClient } from '../../cli/temporal-client.ts';
import { watch } from '../../cli/watch/watch.ts';
import { type PathKind, pathsIn } from '../../src/config/config-paths.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { fileExists, projectFile } from '../../src/core/files.ts';
import { openRunDirectory } from '../../src/core/run-directory.ts';
import { type workerSettingsSchema, workerSettingsVariable } from '../../src/core/worker-settings.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { formatSeconds } from '../../src/report/tables.ts';
import type { DataEngineInput } from '../../workflows/inputs.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { type OwnedProcess, startOwned } from './child-process.ts';
import { databaseName, startTemporalServer } from './temporal-server.ts';

export interface DemoOptions {
  /** One small round instead of two. */
  quick: boolean;
  seed?: number;
  /** Keep the server and its UI running until interrupted. */
  keep: boolean;
  signal: AbortSignal;
  /** Default: `configs/demo.yaml`, or `configs/demo-quick.yaml`. */
  config?: string;
  /** Passed to the GPU worker; tests give a trainer of their own. */
  trainerEntry?: string;
}

const finishedMark = 'finished.json';
const workerEntry = (name: 'cpu' | 'gpu') => fileURLToPath(new URL(`../../workers/${name}.ts`, import.meta.url));
const shippedConfig = (name: string) => fileURLToPath(new URL(`../../configs/${name}.yaml`, import.meta.url));

/** Runs the demo and prints its table. Stops all its processes, however it ends. */
export async function runDemo(options: DemoOptions): Promise<DataEngineResult> {
  const startedAt = Date.now();
  const name = options.quick ? 'demo-quick' : 'demo';
  const configFile = options.config ?? shippedConfig(name);
  const config = await loadConfig(configFile, { seed: options.seed });
  const runsDirectory = resolve(config.runsDirectory);
  const run = await demoRunName(runsDirectory, `${config.run ?? name}-seed${config.seed}`);
  const directory = openRunDirectory(runsDirectory, run).root;
  const logs = join(directory, 'logs');
  await mkdir(logs, { recursive: true });

  const owned: OwnedProcess[] = [];
  const say = (line: string) => process.stderr.write(`${line}\n`);
  try {
    // An interrupted demo resumes from what its steps left; the history of its workflow is not needed for that.
    for (const suffix of ['', '-wal', '-shm']) await rm(join(directory, databaseName + suffix), { force: true });
    const server = await startTemporalServer(directory, logs);
    owned.push(server.process);
    say(`Temporal UI   ${server.ui}`);
    say(`Run directory ${directory}`);

    const environment = {
      TEMPORAL_ADDRESS: server.address,
      TEMPORAL_NAMESPACE: 'default',
      DATAENGINE_EXIT_WITH_PARENT: '1',
      [workerSettingsVariable]: await writeWorkerSettings(join(directory, 'worker.yaml'), configFile, config),
    };
    for (const kind of ['cpu', 'gpu'] as const) {
      const extra = kind === 'gpu' && options.trainerEntry !== undefined ? [options.trainerEntry] : [];
      owned.push(
        await startOwned({
          name: `${kind.toUpperCase()} worker`,
          program: process.execPath,
          arguments: [
            '--import',
            import.meta.resolve('tsx'),
            workerEntry(kind),
            config.temporal.taskQueues[kind],
            ...extra,
          ],
          logFile: join(logs, `worker-${kind}.log`),
          environment,
        }),
      );
    }

    const input: DataEngineInput = { config: configFile, run, seed: options.seed };
    const result = await startAndWatch({
      address: server.address,
      taskQueue: config.temporal.taskQueues.cpu,
      workflowId: run,
      input,
      owned,
      signal: options.signal,
    });
    await writeJson(join(directory, finishedMark), result);

    process.stdout.write(`${formatRounds(result.rounds)}\n`);
    process.stdout.write(`Ended         ${result.stop.reason}\n`);
    process.stdout.write(`Model         ${join(directory, `round-${result.lastGood}`, 'merged')}\n`);
    process.stdout.write(`Total time    ${formatSeconds((Date.now() - startedAt) / 1000)}\n`);
    process.stdout.write(`Report        ${result.report}\n`);
    if (options.keep) {
      process.stdout.write(`Temporal UI   ${server.ui} (running until Ctrl-C)\n`);
      await untilAborted(options.signal);
    }
    return result;
  } finally {
    // Workers first: they stop their trainers and report the end of their activities to the server.
    await Promise.all(owned.slice(1).map((process) => process.stop()));
    await owned[0]?.stop();
  }
}

/** The demo's workers may touch what the config names: the person who typed the command trusts it. */
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
    webhooks: notify.webhookVariable === undefined ? [] : [notify.webhookVariable],
  };
  // JSON is YAML.
  await writeJson(file, settings);
  return file;
}

/**
 * The name of the demo's run. An interrupted one is resumed; a finished one is kept, and the next
 * demo gets a number: `demo-seed1`, `demo-seed1-2`, …
 */
async function demoRunName(runsDirectory: string, base: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!(await fileExists(join(runsDirectory, name, finishedMark)))) return name;
  }
}

interface WatchInput {
  address: string;
  taskQueue: string;
  workflowId: string;
  input: DataEngineInput;
  owned: OwnedProcess[];
  signal: AbortSignal;
}

async function startAndWatch({
  address,
  taskQueue,
  workflowId,
  input,
  owned,
  signal,
}: WatchInput): Promise<DataEngineResult> {
  const client = await connectClient(address);
  const stopWatching = new AbortController();
  let watched: Promise<DataEngineResult> | undefined;
  try {
    await client.workflow.start('dataEngine', {
      taskQueue,
      workflowId,
      args: [input],
      staticSummary: `Demo run ${workflowId}`,
    });
    const processEnded = Promise.race(
      owned.map(async (process) => {
        const how = await process.ended;
        throw new Error(`the ${process.name} ${how}; see ${process.logFile}`);
      }),
    );
    watched = watch(client, workflowId, {
      form: 'lines',
      signal: AbortSignal.any([signal, stopWatching.signal]),
    });
    return await Promise.race([watched, processEnded]);
  } finally {
    stopWatching.abort();
    // A call under way must end before its connection does.
    await watched?.catch(() => undefined);
    await client.connection.close();
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
