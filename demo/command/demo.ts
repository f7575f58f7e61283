/**
 * The demo: a Temporal server, a CPU worker and a GPU worker as child processes, and one run of the loop.
 */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { agreeToRun, checkBeforeRun } from '../../cli/before-run.ts';
import { describeEnd, formatRounds } from '../../cli/rounds-table.ts';
import { say, tell } from '../../cli/say.ts';
import { connectClient } from '../../cli/temporal-client.ts';
import { watch } from '../../cli/watch/watch.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { formatSeconds } from '../../src/core/durations.ts';
import { fileExists } from '../../src/core/files.ts';
import { openRunDirectory } from '../../src/core/run-directory.ts';
import { writeJson } from '../../src/core/write-file.ts';
import type { DataEngineInput } from '../../workflows/inputs.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import type { OwnedProcess } from './child-process.ts';
import { failWhenOneEnds, startWorkers, stopAll, workerKinds } from './local-processes.ts';
import { removeServerState, startTemporalServer } from './temporal-server.ts';

export interface DemoOptions {
  /** One small round instead of two. */
  quick: boolean;
  seed?: number;
  /** Keep the server and its UI running until interrupted. */
  keep: boolean;
  signal: AbortSignal;
  /** Default: `configs/demo.yaml`, or `configs/demo-quick.yaml`. */
  config?: string;
  /** Agrees to what the teacher of that config will cost. */
  yes?: boolean;
  /** Passed to the GPU worker; tests give a trainer of their own. */
  trainerEntry?: string;
}

const finishedMark = 'finished.json';
const shippedConfig = (name: string) => fileURLToPath(new URL(`../../configs/${name}.yaml`, import.meta.url));

/** Runs the demo and prints its table. Stops all its processes, however it ends. */
export async function runDemo(options: DemoOptions): Promise<DataEngineResult> {
  const startedAt = Date.now();
  const name = options.quick ? 'demo-quick' : 'demo';
  const configFile = options.config ?? shippedConfig(name);
  const config = await loadConfig(configFile, { seed: options.seed });
  const runsDirectory = resolve(config.runsDirectory);
  const run = await demoRunName(runsDirectory, `${config.run ?? name}-seed${config.seed}`);
  const runDirectory = openRunDirectory(runsDirectory, run);
  const { root: directory } = runDirectory;
  if (options.config !== undefined) {
    const { signal } = options;
    await checkBeforeRun(config, { run: runDirectory, local: true, signal });
    await agreeToRun(config, { run: runDirectory, signal }, options);
  }
  const logs = join(directory, 'logs');
  await mkdir(logs, { recursive: true });

  const owned: OwnedProcess[] = [];
  try {
    await removeServerState(directory);
    const server = await startTemporalServer(directory, logs);
    owned.push(server.process);
    say(`Temporal UI   ${server.ui}`);
    say(`Run directory ${directory}`);

    const { trainerEntry } = options;
    const { address } = server;
    await startWorkers({ config, configFile, directory, kinds: workerKinds, address, trainerEntry }, owned);

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

    tell(formatRounds(result.rounds));
    tell(describeEnd(result));
    tell(`Model         ${join(directory, `round-${result.lastGood}`, 'merged')}`);
    tell(`Total time    ${formatSeconds((Date.now() - startedAt) / 1000)}`);
    tell(`Report        ${result.report}`);
    if (options.keep) {
      tell(`Temporal UI   ${server.ui} (running until Ctrl-C)`);
      await untilAborted(options.signal);
    }
    return result;
  } finally {
    await stopAll(owned.slice(1), owned[0]);
  }
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
    watched = watch(client, workflowId, {
      form: 'lines',
      ownsWorkers: true,
      signal: AbortSignal.any([signal, stopWatching.signal]),
    });
    return await Promise.race([watched, failWhenOneEnds(owned)]);
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
